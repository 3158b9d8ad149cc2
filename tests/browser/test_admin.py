"""The admin, as somebody sees it who looks into the log."""

import csv
import re
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import HTML, Watched, record

pytestmark = pytest.mark.browser

HASHED = re.compile(r"\.[0-9a-f]{12}\.(css|js|svg)$")


def test_log_in_leads_to_the_list(stranger: Watched):
    stranger.log_in()
    assert stranger.page.url == f"{stranger.address}/admin/logs/logrecord/"
    assert stranger.wrong == []
    stranger.screenshot("list")


def test_the_root_of_the_port_leads_to_the_log_in(stranger: Watched):
    stranger.page.goto(stranger.address)
    assert "/admin/login/" in stranger.page.url
    assert stranger.page.title() == "Log in | statuslog"
    stranger.screenshot("log-in")


def test_the_first_page_names_the_log(admin: Watched):
    admin.page.goto(f"{admin.address}/admin/")
    assert admin.page.get_by_role("link", name="Records", exact=True).is_visible()
    assert admin.page.get_by_role("link", name="Add", exact=True).count() == 2  # of users and groups
    admin.screenshot("index")


def test_the_newest_record_is_first(admin: Watched):
    assert admin.column("line")[:3] == [record(number).line for number in range(3)]
    assert admin.column("moment") == sorted(admin.column("moment"), reverse=True)
    assert admin.column("moment")[0] == "2025-09-26 16:45:06.123"
    assert admin.column("uptime")[0] == "138.889"
    assert admin.column("free_disk")[0] == "35.36 GiB"


def test_a_line_of_a_record_stands_in_one_line(admin: Watched):
    cell = admin.page.locator("#result_list td.field-line").first
    box = cell.bounding_box()
    assert box and box["height"] < 45
    assert admin.page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_filter_by_service(admin: Watched):
    admin.follow(admin.page.locator("#changelist-filter").get_by_role("link", name="service2"))
    assert set(admin.column("service")) == {"service2"}
    admin.screenshot("filtered")


def test_filter_by_date(admin: Watched):
    admin.follow(admin.page.locator("#changelist-filter").get_by_role("link", name="Past 7 days"))
    assert admin.column("line") == []  # these records are older
    admin.screenshot("nothing-found")


def test_search(admin: Watched):
    admin.page.fill("#searchbar", "2025-09-26T16:05:06Z")
    admin.follow(admin.page.get_by_role("button", name="Search"))
    assert admin.column("line") == [record(2).line]


def test_down_the_date_hierarchy(admin: Watched):
    dates = admin.page.locator(".change-list nav.toplinks, .change-list .toplinks").first
    admin.follow(dates.get_by_role("link", name="September 2025"))
    admin.follow(dates.get_by_role("link", name="September 25"))
    assert admin.column("moment")
    assert all(moment.startswith("2025-09-25") for moment in admin.column("moment"))
    admin.screenshot("one-day")


def test_the_next_page(admin: Watched):
    first = admin.column("line")
    admin.follow(admin.page.locator(".paginator").get_by_role("link", name="Older", exact=True))
    assert len(first) == 50
    assert admin.column("line") == [record(number).line for number in range(50, 100)]
    admin.follow(admin.page.locator(".paginator").get_by_role("link", name="Newer", exact=True))
    assert admin.column("line") == first


def test_the_oldest_first(admin: Watched):
    admin.follow(admin.page.locator("#result_list th.column-moment .text a"))
    assert admin.column("moment") == sorted(admin.column("moment"))
    assert admin.column("service")[0] == "posted"


def exported(admin: Watched, form: str) -> list[str]:
    """The lines of the file that the action makes of what is chosen."""
    admin.page.select_option("[name=action]", label=f"Export as {form}")
    with admin.page.expect_download() as download:
        admin.page.get_by_role("button", name="Go").click()
    return download.value.path().read_text().splitlines()


def test_export_of_two_records(admin: Watched):
    for number in (0, 2):
        admin.page.locator(".action-select").nth(number).check()
    rows = csv.DictReader(exported(admin, "CSV"))
    assert [row["line"] for row in rows] == [record(2).line, record(0).line]


def test_export_of_all_that_match(admin: Watched):
    admin.follow(admin.page.locator("#changelist-filter").get_by_role("link", name="service2"))
    admin.page.locator("#action-toggle").check()
    admin.page.get_by_role("button", name="Select all that match").click()
    admin.screenshot("all-selected")
    assert len(exported(admin, "NDJSON")) == 150


def test_from_record_to_record(admin: Watched):
    admin.open_first()
    for service, number in (("the log", 1), ("service2", 3)):
        neighbours = admin.page.get_by_role("navigation", name=f"Neighbours in {service}")
        admin.follow(neighbours.get_by_role("link", name="Earlier"))
        assert record(number).line in admin.page.locator("#content").inner_text()
    admin.follow(admin.page.get_by_role("link", name="Show in the list"))
    assert admin.column("line")[0] == record(3).line


def test_the_summary(admin: Watched):
    admin.page.goto(f"{admin.address}/admin/")
    rows = admin.page.locator("#summary tbody tr").all_inner_texts()
    assert [row.split()[0] for row in rows] == ["posted", "service1", "service2"]
    assert record(0).line in rows[1]


def test_a_record_s_page_is_for_reading_only(admin: Watched):
    admin.open_first()
    text = admin.page.locator("#content").inner_text()
    for value in (record(0).line, "service1", "host-0", "2025-09-26 16:45:06.123456 UTC", "5 days 18 h (500,000.0 s)"):
        assert value in text
    assert admin.page.locator("#content").locator("input:not([type=hidden]), textarea, select").count() == 0
    for name in ("Save", "Delete", "Add"):
        assert admin.page.get_by_role("link", name=name).count() == 0
        assert admin.page.get_by_role("button", name=name).count() == 0
    assert admin.page.get_by_role("link", name="Close").is_visible()
    admin.screenshot("record")


def test_the_list_has_nothing_to_add_or_delete_with(admin: Watched):
    assert admin.page.locator("#content :is(.addlink, .object-tools a)").count() == 0
    assert admin.page.locator("[name=action] option").all_inner_texts()[1:] == ["Export as CSV", "Export as NDJSON"]


@pytest.mark.parametrize("page", ["add/", "1/delete/"])
def test_there_is_no_page_to_add_or_delete(admin: Watched, page: str):
    answer = admin.page.goto(f"{admin.address}/admin/logs/logrecord/{page}")
    assert answer and answer.status == 403
    assert admin.page.get_by_role("heading", name="You may not see this").is_visible()


def test_html_in_a_line_is_shown_as_text(admin: Watched):
    admin.open("?q=alert")
    assert admin.column("line") == [HTML]
    admin.open_first()
    assert HTML in admin.page.locator("#content").inner_text()
    assert admin.wrong == []  # no dialog, and no picture that was looked for


def test_strange_lines_do_not_spoil_the_page(admin: Watched):
    admin.open("?service=posted")
    assert len(admin.column("line")) == 4
    assert admin.page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert set(admin.column("uptime")) == {"unknown"}
    admin.screenshot("strange")


def test_everything_comes_from_here_with_a_hashed_name(admin: Watched):
    admin.open_first()
    admin.page.goto(f"{admin.address}/admin/")
    assert {urlsplit(url).netloc for url in admin.requested} == {urlsplit(admin.address).netloc}
    static = [urlsplit(url).path for url in admin.requested if "/static/" in url]
    assert len(static) > 5
    assert [path for path in static if not HASHED.search(path)] == []
    assert admin.wrong == []


def test_static_files_are_compressed_and_kept(admin: Watched):
    sheet = next(url for url in admin.requested if url.endswith(".css"))
    headers = admin.page.request.get(sheet, headers={"Accept-Encoding": "gzip"}).headers
    assert headers["content-encoding"] == "gzip"
    assert "immutable" in headers["cache-control"]


def test_the_pages_in_the_dark_and_on_a_small_screen(admin: Watched):
    admin.page.emulate_media(color_scheme="dark")
    admin.open("")
    admin.screenshot("dark")
    admin.page.set_viewport_size({"width": 360, "height": 800})
    for name, path in {"list": "", "strange": "?service=posted", "record": "1/change/", "summary": "../../"}.items():
        admin.open(path)
        assert admin.page.evaluate("document.documentElement.scrollWidth") <= 360
        admin.screenshot(f"small-{name}")
    assert admin.wrong == []


def test_log_out(admin: Watched):
    admin.follow(admin.page.get_by_role("button", name="Log out"))
    admin.open("")
    assert "/admin/login/" in admin.page.url


def test_five_wrong_passwords_lock_the_account_understandably(stranger: Watched):
    for _ in range(4):
        stranger.log_in("nobody", "wrong")
        assert "Please enter the correct username and password" in stranger.page.content()
    stranger.log_in("nobody", "wrong")
    text = stranger.page.locator("body").inner_text()
    assert "locked" in text
    assert "15 minutes" in text
    stranger.screenshot("locked")
    stranger.log_in()
    assert stranger.page.url.endswith("/admin/logs/logrecord/")  # the lock is for that account alone
