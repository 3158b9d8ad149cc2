"""The admin: the log for inspection, never for change."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from logs.models import LogRecord
from statuslog.record import MEBIBYTE, SECONDS_PER_HOUR

COUNTED = 10_000


class QuickPaginator(Paginator):
    """Pages without counting all rows, which would read a whole index for every page."""

    @cached_property
    def count(self) -> int:
        """Exact up to 10,000 for a filtered list; the whole log by its first and last row number."""
        rows: QuerySet[LogRecord] = self.object_list.order_by()  # type: ignore[attr-defined]
        if rows.query.where:
            return rows[: COUNTED + 1].count()
        ends = rows.aggregate(first=Min("row"), last=Max("row"))
        return 0 if ends["last"] is None else ends["last"] - ends["first"] + 1


@admin.register(LogRecord)
class LogRecordAdmin(admin.ModelAdmin):
    list_display = ("moment", "service", "uptime", "free_disk", "line")
    list_filter = ("service", "timestamp")
    search_fields = ("line", "instance")
    date_hierarchy = "timestamp"
    ordering = ("-timestamp", "-row")
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count the whole log for each filter
    paginator = QuickPaginator

    class Media:
        css = {"all": ("logs/records.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="time (UTC)", ordering="timestamp")
    def moment(self, row: LogRecord) -> str:
        return row.timestamp.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]

    @admin.display(description="uptime (h)", ordering="host_uptime_seconds", empty_value="unknown")
    def uptime(self, row: LogRecord) -> str | None:
        seconds = row.host_uptime_seconds
        return None if seconds is None else f"{seconds / SECONDS_PER_HOUR:,.3f}"

    @admin.display(description="free disk (MBytes)", ordering="disk_free_bytes", empty_value="unknown")
    def free_disk(self, row: LogRecord) -> str | None:
        size = row.disk_free_bytes
        return None if size is None else f"{size / MEBIBYTE:,.2f}"
