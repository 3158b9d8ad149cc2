"""What the admin's first page says of the log, and a record's page of its neighbours."""

import json
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from xml.etree import ElementTree

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django import Settings

from logs import summary
from logs.models import LogRecord
from tests.storage.conftest import MOMENT, PortClient

pytestmark = pytest.mark.django_db

NOON = datetime(2025, 9, 26, 12, tzinfo=UTC)
MEBIBYTE = 2**20


def keep(moment: datetime, free: int | None = None, **values: object) -> LogRecord:
    size = None if free is None else free * MEBIBYTE
    given = {"service": "service1", "line": "a line", "disk_free_bytes": size} | values
    return LogRecord.objects.create(record_id=uuid4(), timestamp=moment, received_at=MOMENT, **given)


def found(now: datetime = NOON) -> summary.Summary:
    result = summary.summary(now)
    assert result
    return result


def hours(count: float) -> datetime:
    return NOON - timedelta(hours=count)


def test_an_empty_log_has_none():
    assert summary.summary(NOON) is None


def test_records_of_today_and_the_latest_of_each_service():
    keep(hours(13), service="service1")
    latest = keep(hours(2), service="service1")
    keep(hours(3), service="service1")
    keep(hours(30), service="service2")
    assert found().today == "2"
    assert [(one.name, one.today) for one in found().services] == [("service1", "2"), ("service2", "0")]
    assert found().services[0].latest == latest


def test_counting_ends(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(summary, "COUNTED", 2)
    for minutes in range(3):
        keep(hours(1 + minutes / 60))
    assert found().today == found().services[0].today == "over 2"


def test_not_all_of_many_services_are_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(summary, "SHOWN", 2)
    for number in range(3):
        keep(NOON, service=f"s{number}")
    assert [one.name for one in found().services] == ["s0", "s1"]
    assert found().more_services


# the free disk


def path() -> str:
    disk = found().disk
    return disk.path if disk else ""


def test_the_free_disk_of_the_last_day():
    for number in range(48):
        keep(hours(24 - number / 2 - 0.1), free=1000 + number)
    disk = found().disk
    assert disk
    assert (disk.newest, disk.lowest, disk.highest) == ("1.02 GiB", "1,000.00 MiB", "1.02 GiB")
    points = [float(value) for value in re.findall(r"[\d.]+", disk.path.replace("h0", ""))]
    assert points[::2] == sorted(points[::2])
    assert points[1::2] == sorted(points[1::2], reverse=True)  # more is higher, and down is larger
    assert 4.0 < points[0] < points[-2] < disk.width - 4.0


def test_the_lowest_the_highest_and_the_newest_are_those_of_all_records():
    """Of several services, within half an hour: none of them is the first of its half hour."""
    for minutes, free, service in ((50, 500, "a"), (49, 3, "a"), (48, 900, "b"), (2, 400, "b"), (1, 300, "a")):
        keep(hours(minutes / 60), free=free, service=service)
    keep(hours(0.5 / 60), service="imported")  # has measured nothing
    keep(hours(24.1), free=1)
    disk = found().disk
    assert disk
    assert (disk.newest, disk.lowest, disk.highest) == ("300.00 MiB", "3.00 MiB", "900.00 MiB")


def test_the_admin_the_overview_and_a_query_by_hand_agree(admin: Client, client: Client):
    now = datetime.now(UTC)
    for number, free in enumerate((700, 36_000, 100, 35_000, None, 40_000, 20_000, None)):
        keep(now - timedelta(minutes=5 * (8 - number)), free=free, service=f"service{number // 3}")
    rows = client.get("/log?since=24h&format=ndjson").getvalue().decode().splitlines()
    frees = [size for row in rows if (size := json.loads(row)["disk_free_bytes"]) is not None]
    overview = client.get("/overview?step=720&points=120").json()["services"]
    points = sorted((p["timestamp"], p["disk_free_bytes"]) for one in overview for p in one["series"])
    drawn = [free for _, free in points if free is not None]
    assert (drawn[-1], min(drawn), max(drawn)) == (frees[-1], min(frees), max(frees))
    newest, lowest, highest = "19.53 GiB", "100.00 MiB", "39.06 GiB"
    assert (frees[-1], min(frees), max(frees)) == (20_000 * MEBIBYTE, 100 * MEBIBYTE, 40_000 * MEBIBYTE)
    assert f"<strong>{newest}</strong>, between {lowest} and {highest}" in admin.get("/admin/").text


def test_thousands_of_records_are_thinned():
    LogRecord.objects.bulk_create(
        LogRecord(record_id=UUID(int=n), timestamp=hours(n / 25), received_at=NOON, line="x", disk_free_bytes=n)
        for n in range(1, 700)
    )
    assert path().count("L") == 2 * 48 - 1  # the lowest and the highest of each half hour


def test_a_gap_where_nothing_was_measured():
    for count, free in ((5, 1), (4.5, 2), (3, None), (2, 4)):
        keep(hours(count), free=free)
    assert path().count("M") == 2
    assert path().count("L") == 1


def test_one_that_could_not_be_measured_hides_no_other():
    keep(hours(1.2), service="posted")
    keep(hours(1.1), free=5)
    assert path()


def test_the_same_all_day_is_a_line_in_the_middle():
    for count in range(1, 5):
        keep(hours(count), free=7)
    assert set(re.findall(r" ([\d.]+)", path())) == {"30.0"}


@pytest.mark.parametrize("moment", [hours(25), NOON + timedelta(hours=1)])
def test_nothing_of_the_last_day(moment: datetime):
    keep(moment, free=5)
    assert found().disk is None


# the pages


def test_the_first_page_shows_it(admin: Client):
    row = keep(datetime.now(UTC), free=5, service="<b>", line="<script>x")
    page = admin.get("/admin/").text
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "&lt;script&gt;x" in page
    assert f"/admin/logs/logrecord/{row.row}/change/" in page
    assert "/admin/logs/logrecord/?service=%3Cb%3E" in page


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "just now"), (12.5, "12 s ago"), (90, "1 min ago"), (266_400, "3 days 2 h ago")]
)
def test_how_long_ago_the_latest_record_came(seconds: float, text: str):
    keep(NOON - timedelta(seconds=seconds))
    assert found().services[0].ago == text


def test_the_sparkline_can_be_read_aloud(admin: Client):
    keep(datetime.now(UTC), free=5)
    [svg] = re.findall(r'<svg class="sparkline".*?</svg>', admin.get("/admin/").text, re.DOTALL)
    root = ElementTree.fromstring(svg)
    named = {child.get("id"): (child.text or "") for child in root}
    assert root.get("role") == "img"
    assert [bool(named[name]) for name in (root.get("aria-labelledby") or "").split()] == [True, True]
    assert "newest 5.00 MiB" in named["disk-text"]


@pytest.mark.parametrize("path", ["/admin/", "/admin/logs/logrecord/", "/admin/logs/logrecord/{row}/change/"])
def test_nothing_that_a_strict_content_security_policy_refuses(admin: Client, path: str):
    row = keep(datetime.now(UTC), free=5)
    page = admin.get(path.format(row=row.row)).text
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", page)


def test_who_may_not_see_records_sees_no_summary(settings: Settings):
    keep(datetime.now(UTC), line="secret")
    client = PortClient(settings.ADMIN_PORT)
    client.force_login(get_user_model().objects.create_user("guest", is_staff=True))
    assert "secret" not in client.get("/admin/").text
    assert client.get("/admin/logs/logrecord/").status_code == 403


def test_a_record_s_neighbours(admin: Client):
    rows = [keep(NOON, service=f"service{number % 2 + 1}") for number in range(5)]  # of one time: the row decides
    page = admin.get(f"/admin/logs/logrecord/{rows[2].row}/change/").text
    [log, service] = re.findall(r'<nav aria-label="Neighbours.*?</nav>', page, re.DOTALL)
    assert re.findall(r"logrecord/(\d+)/change", log) == [str(rows[1].row), str(rows[3].row)]
    assert re.findall(r"logrecord/(\d+)/change", service) == [str(rows[0].row), str(rows[4].row)]


def test_the_ends_of_the_log_have_one_neighbour(admin: Client):
    rows = [keep(hours(2 - number)) for number in range(2)]
    for row, other in (rows, reversed(rows)):
        page = admin.get(f"/admin/logs/logrecord/{row.row}/change/").text
        assert set(re.findall(r"logrecord/(\d+)/change", page)) - {str(row.row)} == {str(other.row)}


def test_from_a_record_to_its_place_in_the_list(admin: Client):
    rows = [keep(hours(10 - number)) for number in range(8)]
    page = admin.get(f"/admin/logs/logrecord/{rows[4].row}/change/")
    [link] = re.findall(r'href="([^"]*)">Show in the list', page.text)
    assert [*admin.get(link).context["cl"].result_list] == rows[4::-1]
