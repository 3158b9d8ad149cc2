"""`manage.py prepare`: what has to be done before storage can start; harmless to repeat."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command

from statuslog import command, env
from statuslog.database import engine
from statuslog.sqlite.commands import prepare_database


class Command(command.Command):
    help = "Make or update the database, make the first admin of DJANGO_SUPERUSER_*, collect the static files."

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database()
        with engine.alone():  # here too: one makes what the others then find
            self._make_superuser()
            if not (settings.STATIC_ROOT / "staticfiles.json").exists():
                call_command("collectstatic", verbosity=0, interactive=False)

    def _make_superuser(self) -> None:
        name = env.text("DJANGO_SUPERUSER_USERNAME")
        password = env.text("DJANGO_SUPERUSER_PASSWORD")
        if not (name and password):
            return
        users = get_user_model().objects
        if not users.filter(username=name).exists():
            users.create_superuser(name, env.text("DJANGO_SUPERUSER_EMAIL"), password)
            self.stdout.write(f"made the admin {name}")
