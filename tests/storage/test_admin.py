"""The admin: the log for inspection, never for change."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django import Settings

from logs.models import LogRecord
from tests.storage.conftest import MOMENT, PortClient

pytestmark = pytest.mark.django_db

LIST = "/admin/logs/logrecord/"


def keep(count: int = 1, **values: object) -> LogRecord:
    row = None
    for _ in range(count):
        number = LogRecord.objects.count()
        moment = MOMENT + timedelta(hours=number)
        given = {"service": "service1", "line": f"line {number}", "timestamp": moment} | values
        row = LogRecord.objects.create(record_id=UUID(int=number), received_at=MOMENT, **given)
    assert row
    return row


def shown(client: Client, **query: str | int) -> list[str]:
    """The lines that the list shows, from top to bottom."""
    return [row.line for row in client.get(LIST, query).context["cl"].result_list]


# the list


def test_the_newest_record_is_first(admin: Client):
    keep(3)
    assert shown(admin) == ["line 2", "line 1", "line 0"]


def test_a_record_s_values_are_shown_for_people(admin: Client):
    keep(instance="host-a", host_uptime_seconds=32065.2, disk_free_bytes=37_966_420_213, line="its line")
    page = admin.get(LIST).text
    for text in ("2025-09-26 16:45:06.123", "service1", ">8.907<", ">35.36 GiB<", "its line"):
        assert text in page


def test_what_was_not_measured_is_unknown_not_0(admin: Client):
    keep(instance="host-a")
    assert admin.get(LIST).text.count(">unknown<") == 2


def test_a_record_s_page_has_units(admin: Client):
    row = keep(host_uptime_seconds=32065.2, disk_free_bytes=37_966_420_213)
    page = admin.get(f"{LIST}{row.row}/change/").text
    values = dict(re.findall(r"<label>([^<]*):</label>\s*<div class=\"readonly\">(.*?)</div>", page))
    assert values["Host uptime"] == "8 h 54 min (32,065.2 s)"
    assert values["Disk free"] == "35.36 GiB (37,966,420,213 bytes)"
    assert (values["Container uptime"], values["Disk total"], values["Instance"]) == ("unknown",) * 3


def test_an_imported_record_has_no_service(admin: Client):
    row = keep(service="")
    assert re.findall(r'class="field-service[^>]*>([^<]*)<', admin.get(LIST).text) == ["no service"]
    assert re.findall(r'<a href="\?(service|instance)=">(.*?)</a>', admin.get(LIST).text.replace("\n", "")) == [
        ("service", "no service"),
        ("instance", "unknown"),
    ]
    page = admin.get(f"{LIST}{row.row}/change/").text
    assert '<div class="readonly">no service</div>' in page
    assert "In no service:" in page
    assert '?service=">no service</a>' in admin.get("/admin/").text


def test_the_failed_log_ins_have_a_plain_name(admin: Client):
    page = admin.get("/admin/").text
    assert "Log-in attempts" in page
    assert ">Axes<" not in page


@pytest.mark.parametrize(
    ("prefix", "headers", "address"),
    [
        (None, {"host": "localhost:8200"}, "http://localhost:9199/"),
        (None, {"host": "[::1]:8200"}, "http://[::1]:9199/"),
        ("/statuslog", {"host": "localhost", "x-forwarded-proto": "https"}, "/statuslog/"),
        (None, {"host": "localhost", "x-forwarded-for": "10.0.0.1"}, "/"),
    ],
)
def test_there_is_a_link_to_the_page(
    admin: Client, settings: Settings, prefix: str | None, headers: dict[str, str], address: str
):
    settings.FORCE_SCRIPT_NAME, settings.PAGE_PORT = prefix, 9199
    assert f'<a href="{address}">Status page</a>' in admin.get("/admin/", headers=headers).text


def test_filter_by_service(admin: Client):
    keep(service="service1", line="a")
    keep(service="service2", line="b")
    assert shown(admin, service="service2") == ["b"]


def test_filter_by_date(admin: Client):
    keep(30)
    day = shown(admin, timestamp__year=2025, timestamp__month=9, timestamp__day=27)
    assert day == [f"line {number}" for number in range(29, 7, -1)]


def test_search_in_line_and_instance(admin: Client):
    keep(line="needle", instance="a")
    keep(line="hay", instance="needle-host")
    keep(line="hay", instance="b")
    assert shown(admin, q="needle") == ["hay", "needle"]


STRANGE = [
    *({"q": "'\"%_\\"}, {"q": '""'}, {"q": "2025-13"}, {"q": "9999-12"}, {"q": "0" * 32}),
    *({"p": "9999"}, {"p": "after:x~1"}, {"p": f"after:2025-01-01T00:00:00Z~{'9' * 40}"}, {"o": "99"}, {"o": "-3"}),
    *({"service": "nobody"}, {"timestamp__gte": "yesterday"}, {"timestamp__year": "9999"}, {"timestamp__year": "x"}),
]


@pytest.mark.parametrize("query", STRANGE)
def test_a_query_without_a_hit_is_a_page_too(admin: Client, query: dict[str, str]):
    keep()
    response = admin.get(LIST, query, follow=True)
    assert response.status_code == 200


def test_an_empty_log_says_how_to_fill_it(admin: Client):
    assert shown(admin) == []
    for page in (LIST, "/admin/"):
        assert "curl http://localhost:8199/status" in admin.get(page).text


# read only


def test_a_record_s_page_shows_everything_and_has_no_field_to_fill(admin: Client):
    row = keep(line="its line", instance="host-a")
    page = admin.get(f"{LIST}{row.row}/change/").text
    assert "its line" in page
    assert "2025-09-26 16:45:06.123456 UTC" in page
    assert str(row.record_id) in page
    assert 'name="line"' not in page
    assert 'name="_save"' not in page
    assert "deletelink" not in page


@pytest.mark.parametrize("page", ["add/", "1/delete/"])
def test_no_page_adds_or_deletes(admin: Client, page: str):
    keep()
    assert admin.get(LIST + page).status_code == 403
    assert admin.post(LIST + page, {"post": "yes"}).status_code == 403
    assert LogRecord.objects.count() == 1


def test_no_post_changes_a_record(admin: Client):
    row = keep(line="its line")
    assert admin.post(f"{LIST}{row.row}/change/", {"line": "other"}).status_code == 403
    row.refresh_from_db()
    assert row.line == "its line"


def test_no_action_deletes(admin: Client):
    row = keep()
    assert "delete" not in admin.get(LIST).text
    admin.post(LIST, {"action": "delete_selected", "_selected_action": row.row, "post": "yes"})
    assert LogRecord.objects.exists()


@pytest.mark.parametrize("page", [LIST, LIST + "{row}/change/"])
def test_html_in_a_line_is_shown_as_text(admin: Client, page: str):
    row = keep(line="<script>alert(1)</script>", instance="<b>x</b>", service="<i>y</i>")
    text = admin.get(page.format(row=row.row)).text
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<b>x" not in text
    assert "<i>y" not in text


# who may see it


def test_a_stranger_is_asked_to_log_in(settings: Settings):
    stranger = PortClient(settings.ADMIN_PORT)
    for page in (LIST, f"{LIST}1/change/", "/admin/"):
        assert stranger.get(page).headers["Location"].startswith("/admin/login/")


def test_a_user_who_is_no_admin_is_not_let_in(settings: Settings):
    client = PortClient(settings.ADMIN_PORT)
    client.force_login(get_user_model().objects.create_user("guest"))
    assert client.get(LIST).headers["Location"].startswith("/admin/login/")


def log_in(client: Client, name: str, password: str) -> int:
    return client.post("/admin/login/", {"username": name, "password": password}).status_code


def test_five_wrong_passwords_lock_that_account_and_no_other(settings: Settings):
    client = PortClient(settings.ADMIN_PORT)
    for name in ("root", "other"):
        get_user_model().objects.create_superuser(name, password="right")
    assert [log_in(client, "root", "wrong") for _ in range(4)] == [200] * 4
    assert log_in(client, "root", "wrong") == 429
    assert log_in(client, "root", "right") == 429
    assert log_in(client, "other", "right") == 302


def test_four_wrong_passwords_and_the_right_one_are_forgiven(settings: Settings):
    client = PortClient(settings.ADMIN_PORT)
    get_user_model().objects.create_superuser("root", password="right")
    for _ in range(2):
        assert [log_in(client, "root", "wrong") for _ in range(4)] == [200] * 4
        assert log_in(client, "root", "right") == 302


# the port


def test_the_admin_is_on_its_port_only(settings: Settings):
    settings.ADMIN_PORT = 4321
    assert PortClient(4321).get("/admin/login/").status_code == 200
    assert PortClient(80).get("/admin/login/").status_code == 404


def test_the_api_is_on_all_others(settings: Settings):
    settings.ADMIN_PORT = 4321
    assert PortClient(4321).get("/log").status_code == 404
    assert PortClient(80).get("/log").status_code == 200


@pytest.mark.parametrize("name", ["X-Forwarded-Port", "X-Forwarded-Host", "Forwarded", "Server-Port", "Host"])
def test_no_header_opens_the_admin(settings: Settings, name: str):
    settings.ADMIN_PORT = 4321
    value = "4321" if name.endswith("Port") else "localhost:4321"
    assert PortClient(80).get("/admin/login/", headers={name: value}).status_code == 404


def test_the_root_of_the_admin_s_port_leads_to_the_admin(admin: Client):
    assert admin.get("/").headers["Location"] == "/admin/"
