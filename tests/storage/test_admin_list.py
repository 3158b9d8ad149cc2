"""The list of records in the admin: its pages, its search, its dates."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import UUID

import pytest
from django.test import Client

from logs import changelist
from logs.admin import LogRecordAdmin
from logs.models import LogRecord
from logs.query import Place
from tests.storage.conftest import MOMENT

pytestmark = pytest.mark.django_db

LIST = "/admin/logs/logrecord/"


def keep(number: int, **values: object) -> LogRecord:
    """The record of that number; four have the same time."""
    moment = MOMENT + timedelta(hours=number // 4)
    given = {"service": f"service{number % 2 + 1}", "line": f"line {number}", "timestamp": moment} | values
    return LogRecord.objects.create(record_id=UUID(int=number), received_at=MOMENT, **given)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LogRecordAdmin, "list_per_page", 5)
    monkeypatch.setattr(changelist, "LOOKED_THROUGH", 7)
    monkeypatch.setattr(changelist, "COUNTED", 20)


class List:
    """The list as somebody sees it who follows its links."""

    def __init__(self, client: Client, query: str = "") -> None:
        self._client = client
        self.open(query)

    def open(self, query: str) -> None:
        self.page = self._client.get(LIST + query)
        assert self.page.status_code == 200, query

    def lines(self) -> list[int]:
        return [int(row.line.split()[-1]) for row in self.page.context["cl"].result_list]

    def follow(self, name: str) -> bool:
        """Follow the link, if it is one."""
        found = re.search(rf'<a href="([^"]*)">{name}</a>', self.page.text)
        if found:
            self.open(unescape(found[1]))
        return found is not None

    def walk(self, name: str) -> list[int]:
        """What this page and all behind the link show."""
        seen = self.lines()
        while self.follow(name):
            seen += self.lines()
            assert len(seen) < 1000
        return seen


# pages


@pytest.mark.parametrize("count", [0, 1, 5, 6, 33])
@pytest.mark.parametrize("query", ["", "?service=service1", "?q=line", "?q=line&service=service2"])
def test_from_page_to_page_each_record_is_shown_once(admin: Client, count: int, query: str):
    for number in range(count):
        keep(number)
    expected = [n for n in reversed(range(count)) if "service=" not in query or query.endswith(str(n % 2 + 1))]
    page = List(admin, query)
    assert page.walk("Older") == expected
    assert not page.follow("Oldest")
    assert sorted(page.walk("Newer")) == sorted(page.lines() and {*expected}) or not expected


def test_the_other_way_round(admin: Client):
    for number in range(12):
        keep(number)
    page = List(admin, "?o=1")
    assert page.walk("Newer") == list(range(12))


def test_back_from_the_last_page_to_the_first(admin: Client):
    for number in range(13):
        keep(number)
    page = List(admin)
    page.follow("Oldest")
    assert page.lines() == [4, 3, 2, 1, 0]
    assert not page.follow("Older")
    page.follow("Newer")
    assert page.lines() == [9, 8, 7, 6, 5]
    page.follow("Newer")
    assert page.lines() == [12, 11, 10, 9, 8]  # the first page, which is full, not what is above the second
    assert not page.follow("Newest")


def test_a_page_stays_as_it_is_while_records_come(admin: Client):
    for number in range(12):
        keep(number)
    page = List(admin)
    page.follow("Older")
    before = page.lines()
    for number in range(12, 20):
        keep(number)
    page.open("?" + page.page.request["QUERY_STRING"])
    assert page.lines() == before


@pytest.mark.parametrize(
    ("count", "query", "said"),
    [
        (1, "", "1 record"),
        (20, "", "20 records"),
        (33, "", "about 33 records"),
        (33, "?service=service1", "17 records"),
        (66, "?service=service1", "over 20 records"),
    ],
)
def test_how_many_there_are(admin: Client, count: int, query: str, said: str):
    for number in range(count):
        keep(number)
    assert re.search(rf"^\s*{said}$", List(admin, query).page.text, re.MULTILINE)


# search


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("00000000-0000-0000-0000-000000000003", [3]),
        ("00000000000000000000000000000003", [3]),
        ("service2", [5, 3, 1]),
        ("2025-09", [5, 4, 3, 2, 1, 0]),
        ("2025-09-26", [5, 4, 3, 2, 1, 0]),
        ("2025-09-26T17", [5, 4]),
        ("2025-09-26 16:45", [3, 2, 1, 0]),
        ("2025-09-26T16:45:06Z", [3, 2, 1, 0]),
        ("2025-09-26T16:45:06.123Z", [3, 2, 1, 0]),
        ("2025-09-26 16:45:06.123456 UTC", [3, 2, 1, 0]),
        ("2025-09-26T16:45:06.124Z", []),
        ("2025-09-27", []),
        ("LINE 4", [4]),
        ('"line 5"', [5]),
        ('"service2"', []),
        (" line 4 ", [4]),
        ("e_4", []),
        ("host-a", [0]),
        ("ost-a", [0]),
    ],
)
def test_what_a_search_finds(admin: Client, term: str, found: list[int]):
    for number in range(6):
        keep(number, instance="host-a" if number == 0 else "")
    page = List(admin)
    page.page = admin.get(LIST, {"q": term})
    assert page.walk("Older") == found


def test_a_time_and_a_filter_by_time_narrow_each_other(admin: Client):
    for number in range(12):
        keep(number)
    assert List(admin, "?q=2025-09-26&timestamp__gte=2025-09-26+17:00:00%2B00:00").lines() == [11, 10, 9, 8, 7]
    assert List(admin, "?q=2025-09-26T16&timestamp__gte=2025-09-26+17:00:00%2B00:00").lines() == []


def test_a_search_for_a_text_ends_somewhere_and_says_so(admin: Client):
    for number in range(20):
        keep(number, line=f"needle {number}" if number in (0, 1, 19) else f"hay {number}")
    page = List(admin, "?q=needle")
    assert page.lines() == [19]
    assert "looked for in 7 records" in page.page.text
    page.follow("Older")
    assert page.lines() == []
    assert "Not among the records looked through so far" in page.page.text
    page.follow("Older")
    assert page.lines() == [1, 0]
    assert "No more lines or instances with “needle”" in page.page.text


def test_back_to_what_was_found_last_of_all_that_was_looked_through(admin: Client):
    for number in range(20):
        keep(number, line=f"needle {number}" if number == 6 else f"hay {number}")
    page = List(admin, "?q=needle")
    assert page.walk("Older") == [6]
    page.follow("Newer")
    assert page.lines() == [6]


def test_no_place_leads_out_of_the_chosen_time(admin: Client):
    for number in range(12):
        keep(number)
    later = Place(MOMENT + timedelta(days=1), 1, 0)
    assert List(admin, f"?timestamp__lt=2025-09-26+17:00:00%2B00:00&p=after:{later}").lines() == [3, 2, 1, 0]


def test_a_text_is_looked_for_in_the_chosen_time(admin: Client):
    for number in range(40):
        keep(number)
    assert List(admin, "?q=line+1&timestamp__lt=2025-09-26+17:00:00%2B00:00").lines() == [1]


@pytest.mark.parametrize("lookup", ["line__contains", "received_at", "timestamp__week_day", "line__regex"])
def test_no_filter_that_looks_at_each_record(admin: Client, lookup: str):
    keep(0)
    assert admin.get(LIST, {lookup: "1"}).status_code == 400


# dates and services


def dates(page: List) -> list[str]:
    found = re.search(r'<nav class="toplinks".*?</nav>', page.page.text, re.DOTALL)
    return re.findall(r"<a [^<>]+>([^<>\n]+)<", found[0]) if found else []


def test_the_dates_that_have_records(admin: Client):
    for number, moment in enumerate(["2023-12-31", "2024-02-28", "2024-02-29", "2024-12-31", "2025-01-01"]):
        keep(number, timestamp=datetime.fromisoformat(moment).replace(tzinfo=UTC))
    page = List(admin)
    assert dates(page) == ["2023", "2024", "2025"]
    page.follow("2024")
    assert dates(page) == ["&lsaquo; All dates", "February 2024", "December 2024"]
    assert page.lines() == [3, 2, 1]
    page.follow("February 2024")
    assert dates(page) == ["&lsaquo; 2024", "February 28", "February 29"]
    page.follow("February 29")
    assert page.lines() == [2]
    assert "&lsaquo; February 2024" in dates(page)


def test_with_records_of_one_month_the_days_are_shown_at_once(admin: Client):
    for number in range(0, 200, 40):
        keep(number)
    assert dates(List(admin)) == ["September 26", "September 27", "September 28"]


def test_dates_at_the_end_of_time(admin: Client):
    keep(0, timestamp=datetime.max.replace(tzinfo=UTC))
    keep(1, timestamp=datetime.min.replace(tzinfo=UTC))
    assert len(dates(List(admin))) == 2
    assert List(admin, "?timestamp__year=2025").lines() == []


def test_the_services_that_have_records(admin: Client):
    for number in range(4):
        keep(number, service="" if number == 3 else f"s{number}")
    text = List(admin).page.text
    assert re.findall(r'<a href="\?service=(\w*)"[^>]*>', text) == ["", "s0", "s1", "s2"]
    assert List(admin, "?service=").lines() == [3]
