"""`GET /`: asks, puts what is known in order of importance, and fills the template."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase
from django.template import Context, Engine
from django.urls import URLPattern, path
from rest_framework.request import Request

from service1 import views
from service1.docs_page import policy
from service1.page import charts, lanes, words
from service1.page.axis import SPANS, WIDTH, Axis, Span
from service1.page.files import FOLDER, SCRIPT, STYLE, PageFileView
from service1.page.look import ROWS, Look, look
from service1.page.state import EARLY, overall, services
from statuslog import shown
from statuslog.compression import compressed
from statuslog.record import LINE_PATTERN, Record, show_timestamp
from statuslog.rest import OneFormView

FILTERS = ("service", "since", "until", "contains")
NUMBERS = {"service1": 1, "service2": 2, "storage": 3}  # a service's colour, the same in both charts
LAST_NUMBER = 7
TURNED = 30  # pages, of which the address knows the way back
DOWNLOADS = {"text": "Text", "csv": "CSV", "ndjson": "NDJSON"}
HEADERS = {"Content-Security-Policy": policy(form_action="'self'"), "Cache-Control": "no-store"}

_template = Engine(dirs=[str(FOLDER)]).get_template("page.html")


@dataclass(frozen=True, slots=True)
class Row:
    """A record in the table; of a line in the record's form only what the other columns do not say."""

    id: str
    time: str
    day: str
    clock: str
    service: str
    text: str
    early: bool


class PageView(OneFormView):
    """The status page."""

    def get(self, request: Request) -> HttpResponseBase:
        given = request.query_params
        query = {name: value for name in FILTERS if (value := given.get(name, ""))}
        span = SPANS.get(given.get("span", "day"))
        problem = "" if span else f"span: must be one of {', '.join(SPANS)}"
        span = span or SPANS["day"]
        outbox = views.delivery.facts()["outbox"]
        turned = [cursor for cursor in given.get("cursor", "").split("~") if cursor]
        at = {"cursor": turned[-1]} if turned else {}
        seen = look(views.own, outbox, views.service2, span, {**query, **at})
        if seen.rows.refused:
            problem = seen.rows.failure
        page = _template.render(Context(_context(seen, span, query, turned, problem)))
        response = HttpResponse(page, status=400 if problem else 200, headers=HEADERS)
        return compressed(request._request, response)


def _context(seen: Look, span: Span, query: dict[str, str], turned: list[str], problem: str) -> dict[str, Any]:
    axis = Axis(span, seen.now)
    known = seen.overview.value
    cards = services(seen)
    rows = seen.rows.value
    found = [_row(record, seen.now) for record in rows.records] if rows else []
    series = known.series if known else {}
    here = {**query, "span": span.name}
    behind = _address(here, [*turned, rows.next]) if rows and rows.next else ""
    full = len(found) == ROWS
    return {
        "overall": overall(seen, cards),
        "services": cards,
        "problem": problem,
        "span": span,
        "spans": [(name, _address({**query, "span": name}, turned)) for name in SPANS],
        "axis": axis,
        "disk": charts.disk_chart(axis, series, _numbers(series)),
        "lanes": _lanes(axis, seen),
        "height": charts.HEIGHT,
        "width": WIDTH,
        "rows": found,
        "most": ROWS,
        "nameless": shown.NO_SERVICE,
        "older": behind if full else "",
        "on": "" if full else behind,
        "newer": _address(here, turned[:-1]) if turned else "",
        "newest": _address(here, []) if len(turned) > 1 else "",
        "turned": turned,
        "failure": "" if rows or problem else seen.rows.failure,
        "query": query,
        "forms": [(label, "log?" + urlencode({**query, "format": form}), form) for form, label in DOWNLOADS.items()],
        "follow": _follow(query) if rows and "until" not in query and not turned else "",
        "style": f"page/{STYLE}",
        "script": f"page/{SCRIPT}",
        "now": words.moment(seen.now),
    }


def _address(query: dict[str, str], turned: list[str]) -> str:
    """The page's own address; `turned` are the cursors of the pages back to the newest records."""
    way = {"cursor": "~".join(turned[-TURNED:])} if turned else {}
    return "?" + urlencode({**query, **way})


def _numbers(names: Iterable[str]) -> dict[str, int]:
    """Which colour each service has; the last one is for all that there is none left for."""
    others = [name for name in names if name not in NUMBERS]
    free = range(len(NUMBERS) + 1, LAST_NUMBER)
    return NUMBERS | {name: free[place] if place < len(free) else LAST_NUMBER for place, name in enumerate(others)}


def _follow(query: dict[str, str]) -> str:
    """Where the browser hears of new records. It is told the last ones again, lest one be missed in between."""
    asked = {"follow": "1", "tail": "0" if "since" in query else str(ROWS)}
    return "log?" + urlencode(asked | {name: query[name] for name in ("service", "contains") if name in query})


def _row(record: Record, now: datetime) -> Row:
    day, clock = words.moment(record.timestamp).split()
    own = LINE_PATTERN.fullmatch(record.line)
    return Row(
        str(record.id),
        show_timestamp(record.timestamp),
        day,
        clock,
        shown.service(record.service),
        record.line.partition(": ")[2] if own else record.line,
        record.timestamp > now + EARLY,
    )


def _lanes(axis: Axis, seen: Look) -> list[lanes.Lane]:
    """The host's, then one of each service: from the log, and from what the services say of themselves now."""
    series = seen.overview.value.series if seen.overview.value else {}
    storage = seen.overview.value.storage if seen.overview.value else None
    live = {"service1": seen.service1, "service2": seen.service2.value, "storage": storage}
    own = seen.service1.measured.host_uptime_seconds
    # A line without a service may be of another host.
    host = [(point.time, point.host_uptime) for name, points in series.items() if name for point in points]
    found = [_lane(axis, "host", 0, [*host, (seen.now, own)], own)]
    for name, report in live.items():
        up = report.measured.container_uptime_seconds if report else None
        past = [(point.time, point.container_uptime) for point in series.get(name, ())]
        found.append(_lane(axis, name, NUMBERS[name], [*past, (seen.now, up)], up))
    return found


def _lane(
    axis: Axis, name: str, number: int, seen: list[tuple[datetime, float | None]], up: float | None
) -> lanes.Lane:
    known = [(time, uptime) for time, uptime in seen if uptime is not None and time <= axis.end]
    return lanes.lane(axis, name, number, known, f"up {shown.duration(up)}" if up is not None else "no answer")


def urls() -> list[URLPattern]:
    return [path("", PageView.as_view()), path("page/<name>", PageFileView.as_view())]
