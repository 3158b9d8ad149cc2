"""`manage.py import_log`: a file's lines come into the log at their own times, once."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from logs import import_lines, import_mark, importing
from logs.importing import Counts
from logs.models import Edition, LogRecord
from statuslog.record import Record, show_timestamp
from tests.storage.conftest import MOMENT

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]


def line(second: int = 0, disk: float = 1.0, fraction: str = "") -> str:
    moment = MOMENT + timedelta(seconds=second)
    return f"{moment:%FT%T}{fraction}Z: uptime 8.907 hours, free disk in root: {disk:.2f} MBytes"


def bring_in(*lines: str) -> Counts:
    counts = Counts()
    data = [f"{line}\n".encode() for line in lines]
    list(importing.bring_in(data, counts, settings.DATA_DIR))
    return counts


@pytest.fixture
def import_log(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[bytes], str]:
    """Run the command on a file with that content; returns what it prints."""

    def import_log(data: bytes) -> str:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        out = io.StringIO()
        call_command("import_log", stdout=out)
        return out.getvalue()

    return import_log


def test_a_file_is_stored_at_its_own_times(import_log, lines):
    printed = import_log(f"{line(2)}\n{line(0)}\n{line(1)}".encode())
    assert printed == "stored 3, known already 0, rejected 0\n"
    assert lines() == [line(0), line(1), line(2)]
    first = LogRecord.objects.first()
    assert first
    assert first.timestamp == datetime(2025, 9, 26, 16, 45, 6, tzinfo=UTC)
    assert first.host_uptime_seconds == pytest.approx(8.907 * 3600)
    assert first.disk_free_bytes == 2**20
    assert (first.service, first.instance, first.disk_total_bytes) == ("", "", None)


def test_milliseconds_are_kept(post, record: Record):
    bring_in(line(fraction=".123"), line())
    post(json.dumps(replace(record, timestamp=MOMENT.replace(microsecond=123000)).to_json()), "application/json")
    text = "SELECT CAST(timestamp AS text) FROM logs_logrecord ORDER BY row"
    with connection.cursor() as cursor:
        cursor.execute(text)
        imported, whole, posted = (stamp for (stamp,) in cursor.fetchall())
    assert imported == posted  # to the letter: SQLite compares texts
    assert posted.startswith(f"{whole}.123" if connection.vendor == "sqlite" else whole[:19])


def test_lines_of_one_second_stay_in_the_file_s_order(lines):
    same = [line(0, disk) for disk in (3, 1, 2)]
    bring_in(*same, line(-1))
    assert lines() == [line(-1), *same]


def test_twice_is_once(lines):
    file = [line(0), line(0), line(1), line(0)]
    assert str(bring_in(*file)) == "stored 4, known already 0, rejected 0"
    assert str(bring_in(*file)) == "stored 0, known already 4, rejected 0"
    assert sorted(lines()) == sorted(file)


def test_what_the_services_have_written_is_known(record: Record, post, lines):
    post(json.dumps(record.to_json()), "application/json")
    assert str(bring_in(record.line)) == "stored 0, known already 1, rejected 0"
    assert str(bring_in(record.line, record.line)) == "stored 1, known already 1, rejected 0"
    assert str(bring_in(record.line, record.line)) == "stored 0, known already 2, rejected 0"
    assert lines() == [record.line] * 2


def test_a_posted_text_that_shows_another_time_than_its_own_is_not_the_file_s(post):
    post(line(0))
    now = f"{datetime.now(UTC):%FT%T}Z: uptime 8.907 hours, free disk in root: 1.00 MBytes"
    assert str(bring_in(line(0), now)) == "stored 2, known already 0, rejected 0"


def test_a_part_comes_before_the_whole():
    file = [line(second, disk) for second in (0, 0, 1, 2, 2) for disk in (1, 1, 2)]
    bring_in(*file[:7])
    assert bring_in(*file).stored == len(file) - 7


def test_an_id_is_the_same_in_every_import_and_begins_with_the_time():
    found = [import_lines.line_id(line(), MOMENT, number) for number in (1, 2, 1)]
    assert found[0] == found[2] != found[1]
    assert UUID(found[0]).version == 8
    assert UUID(found[0]).variant == "specified in RFC 4122"
    assert int(found[0][:12], 16) == MOMENT.timestamp() * 1000 // 1
    assert import_lines.line_id(line(), MOMENT) == "019986e9fecb88e48094d5f71461c952"


SECONDS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1.0, 2.0])), max_size=12)


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=SECONDS, second=SECONDS, chunk=st.integers(1, 4), dense=st.integers(0, 3))
@example(first=[(0, 1.0)] * 3, second=[(1, 1.0), (0, 1.0), (0, 1.0)], chunk=1, dense=3)
def test_the_log_has_each_line_as_often_as_the_file_that_has_it_most_often(
    first: list[tuple[int, float]], second: list[tuple[int, float]], chunk: int, dense: int
):
    """Whatever the order of the lines, where a chunk ends, and whether seconds are looked up one by one."""
    LogRecord.objects.all().delete()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "CHUNK", chunk)
        patch.setattr(importing, "DENSE", dense)
        one, other = ([line(*place) for place in file] for file in (first, second))
        bring_in(*one)
        bring_in(*other)
        assert bring_in(*one).stored == bring_in(*other).stored == 0
    stored = sorted(LogRecord.objects.values_list("line", flat=True))
    wanted = sorted(kind for kind in {*one, *other} for _ in range(max(one.count(kind), other.count(kind))))
    assert stored == wanted


# whole records


def ndjson(*records: Record) -> bytes:
    return "".join(f"{json.dumps(record.to_json())}\n" for record in records).encode()


def test_whole_records_keep_all_that_they_have(import_log, client, record: Record):
    other = replace(record, id=uuid4(), timestamp=MOMENT + timedelta(microseconds=1), line="somebody was here")
    assert import_log(ndjson(record, other)) == "stored 2, known already 0, rejected 0\n"
    moved = b"".join(client.get("/log?format=ndjson").streaming_content)
    assert moved == ndjson(record, other)
    assert import_log(moved) == "stored 0, known already 2, rejected 0\n"


def test_another_record_of_a_known_id_is_rejected_by_its_line(record: Record, post, lines):
    post(json.dumps(record.to_json()), "application/json")
    other = replace(record, line="other")
    counts = bring_in(line(), ndjson(other).decode().strip())
    assert str(counts) == "stored 1, known already 0, rejected 1"
    assert counts.rejections == [f"line 2: a record with the id {record.id} exists and is another one"]
    assert "other" not in lines()


def test_two_contents_of_one_id_in_one_file(record: Record, lines):
    both = ndjson(record, replace(record, line="other")).decode().splitlines()
    assert str(bring_in(*both)) == "stored 1, known already 0, rejected 1"
    assert lines() == [record.line]


def test_text_and_records_in_one_file(record: Record, lines):
    assert bring_in(line(-1), *ndjson(record).decode().splitlines(), line(2)).stored == 3
    assert lines() == [line(-1), record.line, line(2)]


# what is rejected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello", "it is not the line of a status record"),
        (line().encode()[:-1], "it is not the line of a status record"),
        (b"2025-02-30T00:00:00Z" + line().encode()[20:], "it is not the line of a status record"),
        (b"", "the line is blank"),
        (line().encode() + b"\r", "character U+000D at column 73 is not allowed"),
        (b"\xff", "not UTF-8: byte 0xff is wrong there"),
        (b"x" * 5000, "the line has 5,000 characters; 4,096 are allowed"),
        (b"x" * 200_000, "the line has 65,536 bytes or more"),
        (b"{", "no JSON: Expecting property name enclosed in double quotes at column 2"),
        (b'{"a":' * 10_000, "no JSON: nested too deeply"),
        (b"{}", "field 'id' is missing"),
        (b'{"id": ' + b"9" * 5000 + b"}", "no JSON: a number has too many digits"),
    ],
)
def test_other_lines_are_rejected_by_their_number_and_the_others_stored(data: bytes, reason: str, lines):
    counts = Counts()
    file = io.BytesIO(line(0).encode() + b"\n" + data + b"\n" + line(1).encode())
    list(importing.bring_in(import_lines.lines_of(file), counts, settings.DATA_DIR))
    assert counts.rejections == [f"line 2: {reason}"]
    assert lines() == [line(0), line(1)]


def test_what_has_not_come_yet_is_rejected(record: Record, lines):
    future = datetime.now(UTC) + timedelta(minutes=1)
    text = f"{future:%FT%T}Z{line()[20:]}"
    counts = bring_in(text, ndjson(replace(record, timestamp=future)).decode().strip())
    assert counts.rejected == 2
    assert show_timestamp(future.replace(microsecond=0)) in counts.rejections[0]
    assert lines() == []


def test_the_command_says_which_lines_and_how_many(import_log, capsys: pytest.CaptureFixture[str], lines):
    with pytest.raises(CommandError, match="the rejected lines were left out; all others are in the log"):
        import_log((line() + "\n" + "hello\n" * 25).encode())
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "line 2: it is not the line of a status record"
    assert len(printed) == importing.SHOWN + 1
    assert printed[-1] == "… and 5 more"
    assert lines() == [line()]


# what goes on beside it


def test_a_new_edition_begins_if_something_was_stored(import_log):
    import_log(line().encode())
    assert Edition.current() == 1
    import_log(line().encode())
    assert Edition.current() == 1
    import_log(b"")
    import_mark.settle(settings.DATA_DIR)
    assert Edition.current() == 1


def test_a_killed_import_is_followed_too():
    with pytest.raises(MemoryError), import_mark.marked(settings.DATA_DIR):
        bring_in(line())
        import_mark.settle(settings.DATA_DIR)
        assert Edition.current() == 0  # it is still at work
        raise MemoryError
    for _ in range(2):
        import_mark.settle(settings.DATA_DIR)
        assert Edition.current() == 1


def test_one_of_two_imports_is_killed():
    with import_mark.marked(settings.DATA_DIR):
        with pytest.raises(MemoryError), import_mark.marked(settings.DATA_DIR):
            raise MemoryError
        with import_mark.marked(settings.DATA_DIR):
            pass
        import_mark.settle(settings.DATA_DIR)
        assert Edition.current() == 0  # the first one begins it for all
    import_mark.settle(settings.DATA_DIR)
    assert Edition.current() == 0


@pytest.mark.sqlite
def test_a_disk_that_fills_up_stops_it(import_log, settings: Settings, lines):
    settings.MIN_FREE_BYTES = 2**62
    with pytest.raises(CommandError, match=r"MIN_FREE_BYTES.*import the same file again"):
        import_log(line().encode())
    assert lines() == []


def test_no_transaction_is_longer_than_a_chunk(django_assert_num_queries, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importing, "CHUNK", 2)
    with django_assert_num_queries(3 * 4):  # BEGIN (a savepoint here), what is known, the insert, COMMIT
        bring_in(*(line(second) for second in range(5)))


def test_nothing_is_left_in_the_folder():
    before = set(settings.DATA_DIR.iterdir())
    bring_in(line())
    assert set(settings.DATA_DIR.iterdir()) == before
