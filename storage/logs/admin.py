"""The admin: the log for inspection, never for change."""

from collections.abc import Callable
from typing import Any, Literal

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.html import format_html

from logs import export, search
from logs.changelist import AFTER, UNITS, RecordList
from logs.labels import labels
from logs.models import LogRecord
from logs.places import Stretch, moved, ordered, place
from statuslog import shown
from statuslog.record import MEASURED, SECONDS_PER_HOUR

EXACT = {"seconds": "s", "bytes": "bytes"}  # by the end of a measured value's name, the unit that it is kept in

FILTERS = {"service", "instance", "timestamp__gte", "timestamp__lt", *(f"timestamp__{unit}" for unit in UNITS)}


class LabelFilter(admin.SimpleListFilter):
    """Django's own looks at each record to tell which services there are."""

    field: Literal["service", "instance"]
    nameless: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name or self.nameless) for name in labels(self.field)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LogRecord]) -> QuerySet[LogRecord]:
        return queryset if self.value() is None else queryset.filter(**{self.field: self.value()})


class ServiceFilter(LabelFilter):
    title = parameter_name = field = "service"
    nameless = shown.NO_SERVICE


class InstanceFilter(LabelFilter):
    title = parameter_name = field = "instance"
    nameless = shown.UNKNOWN


class TimeFilter(admin.DateFieldListFilter):
    """Only its links: changelist.py makes one bound of this and of the other ways to choose a time."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[LogRecord]) -> QuerySet[LogRecord]:
        return queryset


def _measured(name: str) -> Callable[[LogRecord], str]:
    """How a record's page shows a measured value: readable, and as it is kept."""
    kind = name.rpartition("_")[2]

    @admin.display(description=name.removesuffix(f"_{kind}").replace("_", " "))
    def show(row: LogRecord) -> str:
        value = getattr(row, name)
        if value is None or kind not in EXACT:
            return shown.UNKNOWN if value is None else f"{value:,}"
        readable = shown.duration(value) if kind == "seconds" else shown.size(value)
        return f"{readable} ({value:,} {EXACT[kind]})"

    return show


@admin.display(description="instance")
def _show_instance(row: LogRecord) -> str:
    return row.instance or shown.UNKNOWN


# The stubs know the names of methods alone here, where Django takes functions, too.
_instance: Any = _show_instance
MEASUREMENT: tuple[Any, ...] = tuple(map(_measured, MEASURED))


@admin.register(LogRecord)
class LogRecordAdmin(admin.ModelAdmin):
    list_display = ("moment", "service", "uptime", "free_disk", "line")
    list_filter = (ServiceFilter, InstanceFilter, ("timestamp", TimeFilter))
    search_fields = ("line", "instance")
    search_help_text = search.HELP
    date_hierarchy = "timestamp"
    ordering = ("-timestamp", "-row")
    sortable_by = ("moment",)  # there is an index for it
    empty_value_display = shown.NO_SERVICE  # of all that is shown as it is, only the service can be empty
    readonly_fields = (_instance, *MEASUREMENT)
    fields = ("record_id", "service", _instance, "timestamp", *MEASUREMENT, "line", "received_at")
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count the whole log for each filter
    actions = ("export_csv", "export_ndjson")

    class Media:
        css = {"all": ("logs/records.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # the list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RecordList]:
        return RecordList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(
            request, {"title": "Records", "selection_note_all": "All that match are selected"}
        )

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only what the page itself offers: a filter that is typed into the address could look at each record."""
        return lookup in FILTERS

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LogRecord], search_term: str
    ) -> tuple[QuerySet[LogRecord], bool]:
        return queryset, False  # changelist.py sees to it: it has to know where a search for a text ends

    @admin.display(description="time (UTC)", ordering="timestamp")
    def moment(self, row: LogRecord) -> str:
        moment = row.timestamp.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        return format_html('{} <span class="ahead">in the future</span>', moment) if row.is_ahead else moment

    @admin.display(description="uptime (h)", empty_value=shown.UNKNOWN)
    def uptime(self, row: LogRecord) -> str | None:
        seconds = row.host_uptime_seconds
        return None if seconds is None else f"{seconds / SECONDS_PER_HOUR:,.3f}"

    @admin.display(description="free disk", ordering=None)
    def free_disk(self, row: LogRecord) -> str:
        return shown.size(row.disk_free_bytes)

    # the actions

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, rows: QuerySet[LogRecord]) -> StreamingHttpResponse:
        return self._export("csv", request, rows)

    @admin.action(description="Export as NDJSON", permissions=["view"])
    def export_ndjson(self, request: HttpRequest, rows: QuerySet[LogRecord]) -> StreamingHttpResponse:
        return self._export("ndjson", request, rows)

    def _export(self, form: str, request: HttpRequest, rows: QuerySet[LogRecord]) -> StreamingHttpResponse:
        if request.POST.get("select_across") != "1":
            return export.as_file(form, rows, Stretch(), Q())
        listed = self.get_changelist_instance(request)
        assert isinstance(listed, RecordList)
        return export.as_file(form, listed.rows, listed.stretch, listed.search.in_text)

    # a record's page

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        row = kwargs["obj"]
        return super().render_change_form(
            request, {**context, "neighbours": _neighbours(row), "around": _around(row)}, *args, **kwargs
        )


def _neighbours(row: LogRecord) -> list[tuple[str, list[tuple[str, LogRecord | None]]]]:
    """The records before and after this one in the log, and among those of its service."""
    here = place(row)
    found = []
    for name, rows in (
        ("the log", LogRecord.objects.all()),
        (row.service, LogRecord.objects.filter(service=row.service)),
    ):
        before = ordered(rows.filter(Stretch(before=here).condition), newest_first=True).first()
        after = ordered(rows.filter(Stretch(after=here).condition)).first()
        found.append((shown.service(name), [("Earlier", before), ("Later", after)]))
    return found


def _around(row: LogRecord) -> str:
    """The query of the list that begins with this record."""
    return f"?{PAGE_VAR}={AFTER}:{moved(place(row), 1)}"
