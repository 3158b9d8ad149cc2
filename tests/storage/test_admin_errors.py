"""The admin when something is not as it should be: a page of its own for a browser, a line for everybody else."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, OperationalError
from django.test import Client, RequestFactory
from pytest_django import Settings

from logs.models import LogRecord
from storage import errors
from tests.storage.conftest import PortClient

pytestmark = pytest.mark.django_db

LIST = "/admin/logs/logrecord/"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def failing(admin: Client, monkeypatch: pytest.MonkeyPatch):
    """The list, whose query fails with this error."""
    admin.raise_request_exception = False

    def failing(error: Exception, **headers: str) -> Any:
        def fail(*args: object) -> None:
            raise error

        monkeypatch.setattr("logs.changelist.RecordList.get_results", fail)
        return admin.get(LIST, headers=headers)

    return failing


@pytest.mark.parametrize(
    "error", ["unable to open database file", "no such table: logs_logrecord", "database is locked"]
)
def test_the_database_is_away(failing, error: str):
    answer = failing(OperationalError(error), **BROWSER)
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    page = answer.content.decode()
    assert "The log cannot be reached" in page
    assert "wait" in page
    assert "Try again" in page
    assert error not in page


def test_an_error_of_the_service_itself(failing):
    answer = failing(DatabaseError("secret detail"), **BROWSER)
    assert answer.status_code == 500
    assert "Something is wrong with this page" in answer.content.decode()
    assert "secret detail" not in answer.content.decode()


def test_who_is_no_browser_gets_a_line(failing):
    assert failing(ValueError()).content == b"an error of the service itself; its log says more\n"


@pytest.mark.urls("storage.admin_urls")
def test_a_page_of_an_error_asks_no_database(django_assert_num_queries):
    request = RequestFactory().get("/x", headers=BROWSER)
    with django_assert_num_queries(0):
        assert b"<html" in errors.admin_not_found(request, Exception()).content


def test_nothing_at_an_address(admin: Client):
    answer = admin.get("/nowhere", headers=BROWSER)
    assert answer.status_code == 404
    assert "There is nothing at this address" in answer.content.decode()
    assert "Try again" not in answer.content.decode()
    assert admin.get("/nowhere").content == b"there is nothing at this path\n"


def test_a_form_from_elsewhere(settings: Settings):
    client = PortClient(settings.ADMIN_PORT)
    client.handler.enforce_csrf_checks = True
    answer = client.post("/admin/login/", {"username": "a", "password": "b"}, headers=BROWSER)
    assert answer.status_code == 403
    assert "This form cannot be taken" in answer.content.decode()
    assert "Try again" not in answer.content.decode()


def test_a_locked_account(settings: Settings):
    client = PortClient(settings.ADMIN_PORT)
    get_user_model().objects.create_superuser("root", password="right")
    form = {"username": "root", "password": "wrong"}
    answers = [client.post("/admin/login/", form, headers=BROWSER) for _ in range(5)]
    assert answers[-1].status_code == 429
    assert "This account is locked" in answers[-1].content.decode()


def keep(ahead: timedelta) -> LogRecord:
    now = datetime.now(UTC)
    return LogRecord.objects.create(
        record_id=uuid4(), timestamp=now + ahead, received_at=now, line="a line", service="service1"
    )


@pytest.mark.parametrize(("ahead", "marked"), [(timedelta(minutes=1), True), (timedelta(seconds=-1), False)])
def test_a_time_in_the_future_is_marked(admin: Client, ahead: timedelta, marked: bool):
    row = keep(ahead)
    for path in (LIST, "/admin/", f"{LIST}{row.pk}/change/"):
        assert ("in the future" in admin.get(path).content.decode()) is marked, path


def test_no_records_yet(admin: Client):
    for path in (LIST, "/admin/"):
        assert "No records yet" in admin.get(path).content.decode()


def test_what_django_refuses_to_look_at(settings: Settings):
    client = PortClient(settings.ADMIN_PORT)
    for answer in (
        client.get("/admin/login/", headers={**BROWSER, "Host": "rebound.example"}),
        client.get("/admin/login/?" + "a&" * 1500, headers=BROWSER),
        client.post("/admin/login/", "a" * 2**22, "application/x-www-form-urlencoded", headers=BROWSER),
    ):
        assert answer.status_code == 400
        assert "This cannot be read" in answer.content.decode()
        assert int(answer["Content-Length"]) == len(answer.content)
    answer = client.get("/admin/login/", headers={"Host": "rebound.example"})
    assert answer.content == b"bad request: the Host header is no host name, or none that this service answers to\n"


def test_somebody_without_the_permission(settings: Settings):
    client = PortClient(settings.ADMIN_PORT)
    client.force_login(get_user_model().objects.create_user("guest", is_staff=True))
    answer = client.get(LIST, headers=BROWSER)
    assert answer.status_code == 403
    assert "You may not see this" in answer.content.decode()
    assert client.get(LIST).content == b"this account may not see this\n"


@pytest.mark.parametrize(("method", "path"), [("GET", "/admin/logout/"), ("DELETE", "/admin/login/")])
def test_another_method(admin: Client, method: str, path: str):
    answer = admin.generic(method, path)
    assert (answer.status_code, answer.content) == (405, b"method not allowed\n")
    assert answer["Allow"]
    page = admin.generic(method, path, headers=BROWSER)
    assert (page.status_code, page["Allow"]) == (405, answer["Allow"])
    assert "This address is for something else" in page.content.decode()


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "https://evil.example/", "", "javascript:alert(1)", "http:///a"]
)
def test_a_login_ends_at_a_page_of_the_admin(settings: Settings, elsewhere: str):
    client = PortClient(settings.ADMIN_PORT)
    get_user_model().objects.create_superuser("root", password="right")
    form = {"username": "root", "password": "right", "next": elsewhere}
    answer = client.post("/admin/login/", form, query_params={"next": elsewhere})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert client.get(answer["Location"]).status_code == 200
