"""What the admin asks of PostgreSQL can be answered by index. That a large log costs no more: test_admin_queries.py."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.storage.test_admin_queries import PAGES, at
from tests.storage.test_get_log import keep

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]

# What a small table is read with, as that is quicker there.
SMALL = ("enable_seqscan", "enable_bitmapscan", "enable_sort")
# Records of one time are put in order by row after the index of a service, which has no row: an incremental sort.
WRONG = re.compile("Seq Scan on logs_logrecord|(?<!Incremental )Sort  ")


def plan(sql: str) -> str:
    with connection.cursor() as cursor:
        for name in SMALL:
            cursor.execute(f"SET LOCAL {name} = off")
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.parametrize("page", PAGES)
def test_each_query_of_a_page_can_go_by_an_index(admin: Client, page: str):
    keep(*range(30))
    with CaptureQueriesContext(connection) as captured:
        admin.get(at(PAGES[page]))
    asked = [query["sql"] for query in captured if re.match(r'SELECT .* FROM "?logs_logrecord', query["sql"])]
    assert asked
    for sql in asked:
        assert not WRONG.search(plan(sql)), f"{sql}\n{plan(sql)}"


def test_a_query_that_sorts_the_log_is_told(db: None):
    assert WRONG.search(plan("SELECT * FROM logs_logrecord ORDER BY disk_free_bytes LIMIT 50"))
