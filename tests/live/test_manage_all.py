"""manage_all.sh's commands other than `run`, on local data."""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.manage_all import SCRIPT, LocalSystem

pytestmark = pytest.mark.live

PLACELESS = ("help", "setup", "run", "schema", "lint")  # take neither --docker nor --local
COMMANDS = {
    *("help", "setup", "run", "up", "down", "status", "logs", "tail", "migrate", "makemigrations"),
    *("schema", "createsuperuser", "reset", "verify", "outbox", "clock", "backup", "restore", "import", "prune"),
    *("test", "bench", "lint"),
}


@pytest.fixture
def stopped(tmp_path: Path) -> LocalSystem:
    """A system that never ran: no data yet."""
    return LocalSystem(tmp_path)


def call_status(system: LocalSystem, calls: int) -> None:
    for _ in range(calls):
        assert requests.get(f"{system.public}/status", timeout=10).status_code == 200


def log(system: LocalSystem) -> bytes:
    return requests.get(f"{system.public}/log", timeout=10).content


def users(system: LocalSystem) -> list[str]:
    with closing(sqlite3.connect(system.data_dir / "storage" / "db.sqlite3")) as database:
        return [name for (name,) in database.execute("select username from auth_user")]


def make_user(system: LocalSystem, name: str) -> "subprocess.CompletedProcess[str]":
    return system(
        *("createsuperuser", "--local", "--noinput"),
        DJANGO_SUPERUSER_USERNAME=name,
        DJANGO_SUPERUSER_PASSWORD="a long enough one",
        DJANGO_SUPERUSER_EMAIL="a@example.org",
    )


@pytest.mark.parametrize("arguments", [["help"], ["--help"], []])
def test_help_names_every_command(stopped: LocalSystem, arguments: list[str]):
    done = stopped(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(re.findall(r"^  (\w+)", done.stdout, re.MULTILINE)) == COMMANDS


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_command_prints_its_own_help(stopped: LocalSystem, command: str):
    done = stopped(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    usage, text = done.stdout.split("\n", 1)
    assert re.match(rf"usage: \./manage_all\.sh {command}( |$)", usage)
    assert re.fullmatch(r"(  \S.*\n)+", text)
    assert stopped(command, "--", "-h").stdout == stopped("help", command).stdout == done.stdout
    assert not stopped.data_dir.exists()


@pytest.mark.parametrize("word", ["halp", "cmd_help", "--stop", "run services"])
def test_an_unknown_word(stopped: LocalSystem, word: str):
    done = stopped(word)
    assert (done.returncode, done.stdout) == (2, "")
    assert word in done.stderr
    assert "usage: ./manage_all.sh" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["help", "halp"],
        ["setup", "--now"],
        ["lint", "all"],
        ["schema", "--chek"],
        ["run", "--detatch"],
        ["run", "--detach", "now"],
        ["status", "all"],
        ["logs", "nginx"],
        ["logs", "--request"],
        ["logs", "--request", "a b"],
        ["logs", "--follow", "--request", "a"],
        ["tail", "-n", "few"],
        ["tail", "service1"],
        ["reset", "--all"],
        ["verify", "--al"],
        ["backup", "a", "b"],
        ["backup", "--forced"],
        ["restore", "a", "--no"],
        ["prune", "--keep-last", "1", "--dry"],
        ["prune", "--yes", "--keep-last"],
        ["prune", "--keep-last", "1", "--older-than", "1d"],
    ],
)
def test_an_unknown_argument(stopped: LocalSystem, arguments: list[str]):
    done = stopped(*arguments, "--local") if arguments[0] not in PLACELESS else stopped(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[-1] in done.stderr.splitlines()[0]
    assert re.search(rf"\nusage: \./manage_all\.sh {arguments[0]}( |\n)", done.stderr)
    assert not stopped.data_dir.exists()


def test_sourcing_it_runs_nothing(stopped: LocalSystem):
    done = subprocess.run(
        ["bash", "-c", 'source "$1"; declare -F cmd_run', "-", SCRIPT], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "cmd_run\n", "")


def status(system: LocalSystem) -> Any:
    done = system("status", "--local", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1)
    return found


def test_status_when_all_is_well(running: LocalSystem):
    call_status(running, 1)
    done = running("status", "--local")
    assert done.returncode == 0
    assert re.findall(r"^(\w+) +ready$", done.stdout, re.MULTILINE) == ["service1", "service2", "storage"]
    assert str(running.vstorage) in done.stdout
    assert "stores    equal (first and last 100 lines compared)" in done.stdout
    assert re.search(r"^host      up .* disk free$", done.stdout, re.MULTILINE)
    assert all(line in done.stdout for line in log(running).decode().splitlines()[-2:])
    assert "\033" not in done.stdout


def test_status_has_colours_on_a_terminal(running: LocalSystem):
    code, output = on_a_terminal(running, ["status", "--local"], "", TERM="xterm")
    assert (code, output.count("\033[32mready\033[0m")) == (0, 3)
    code, output = on_a_terminal(running, ["status", "--local"], "", TERM="xterm", NO_COLOR="1")
    assert (code, "\033" in output) == (0, False)


def test_status_as_json(running: LocalSystem):
    call_status(running, 1)
    found = status(running)
    assert found["ok"]
    assert found["stores"]["state"] == "equal"
    service2 = found["services"]["service2"]
    assert (service2["state"], service2["reasons"]) == ("ready", [])
    assert service2["outbox"] == {"waiting": 0, "refused": 0}
    assert service2["measured"]["disk_free_bytes"] > 0
    assert found["vstorage"] == {"path": str(running.vstorage), "bytes": len(log(running))}
    assert found["log"]["records_about"] >= 2
    assert found["last"][-1]["line"] == log(running).decode().splitlines()[-1]


def test_status_sees_a_difference(running: LocalSystem):
    call_status(running, 101)  # so that the first lines are not among the last
    text = running.vstorage.read_bytes()
    for other in (text.replace(b"Z", b"z", 1), text[:-2] + b"x\n", text[: text.index(b"\n") + 1], b""):
        running.vstorage.write_bytes(other)
        assert status(running)["stores"]["state"] == "differs"
    running.vstorage.write_bytes(text)
    assert status(running)["stores"]["state"] == "equal"


def test_status_counts_records_and_not_what_is_between_them(running: LocalSystem):
    call_status(running, 2)
    assert running("prune", "--local", "--yes", "--keep-last", "1").returncode == 0
    old = "2024-02-29T12:00:00Z: uptime 8.907 hours, free disk in root: 36207.74 MBytes\n"
    assert running("import", "--local", "-", stdin=old).returncode == 0
    assert running("prune", "--local", "--yes", "--keep-last", "1").returncode == 0
    assert "\nlog       1 record, its database " in running("status", "--local").stdout


def test_settings_that_have_changed_since_the_start_are_named_and_not_shown(running: LocalSystem):
    token = "write:a-token-of-the-tests"
    changed = (
        "changed since the start: API_TOKENS; the old value is used until the services are started again "
        "(./manage_all.sh run --stop, then run)"
    )
    done = running("status", "--local", API_TOKENS=token)
    assert done.returncode == 1
    assert f"\nsettings  {changed}\n" in done.stdout
    found = json.loads(running("status", "--local", "--json", API_TOKENS=token, MAX_BODY_BYTES="2M").stdout)
    assert sorted(found["settings"]["changed"]) == ["API_TOKENS", "MAX_BODY_BYTES"]
    done = running("tail", "--local", API_TOKENS=token)
    assert (done.returncode, done.stderr) == (0, f"manage_all.sh: {changed}\n")
    assert json.loads(running("status", "--local", "--json").stdout)["settings"] == {"changed": []}


def test_a_command_works_on_the_database_and_the_ports_that_run(running: LocalSystem):
    call_status(running, 1)
    elsewhere = {"DATABASE_URL": "postgres://nobody@127.0.0.1:9/nothing", "SERVICE1_PORT": "9", "STORAGE_PORT": "9"}
    for command in (["verify"], ["tail"], ["backup", "--force", "copy"]):
        done = running(*command, "--local", **elsewhere)
        assert done.returncode == 0, done.stderr
        assert "SERVICE1_PORT, STORAGE_PORT, DATABASE_URL; the old value is used" in done.stderr


def test_status_while_somebody_writes(running: LocalSystem):
    enough = threading.Event()

    def client() -> None:
        while not enough.is_set():
            call_status(running, 1)

    thread = threading.Thread(target=client)
    thread.start()
    try:
        assert status(running)["stores"]["state"] == "equal"
    finally:
        enough.set()
        thread.join()


def test_status_when_nothing_runs(stopped: LocalSystem):
    done = stopped("status", "--local")
    assert done.returncode == 1
    assert done.stdout.count("no answer") == 3
    found = status(stopped)
    assert {one["state"] for one in found["services"].values()} == {"no answer"}
    assert found["stores"]["state"] == "unknown"


def test_logs(running: LocalSystem):
    every = running("logs", "--local").stdout
    assert "==> service1.log <==" in every
    assert "==> storage.log <==" in every
    one = running("logs", "--local", "service2").stdout
    assert '"service": "service2"' in one
    assert "==>" not in one


def test_logs_when_nothing_ever_ran(stopped: LocalSystem):
    done = stopped("logs", "--local")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_the_logs_of_a_request(running: LocalSystem):
    answer = requests.get(f"{running.public}/status", timeout=10)
    request = answer.headers["X-Request-ID"]
    done = running("logs", "--local", "--request", request)
    assert (done.returncode, done.stderr) == (0, "")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    # storage is asked by service1, and then by service2 while service1 waits for it.
    assert [event["service"] for event in events] == ["storage", "storage", "service2", "service1"]
    assert running("logs", "--local", "--request", answer.headers["traceparent"].split("-")[1]).stdout == done.stdout
    (event,) = running("logs", "--local", "--request", request, "service2").stdout.splitlines()
    assert json.loads(event) == events[2]
    code, shown = on_a_terminal(running, ["logs", "--local", "--request", request], "")
    assert (code, shown.count("{")) == (0, 0)
    assert re.search(r"Z service1 info \| GET /status 200  [0-9.]+ ms\r\n$", shown)


def test_the_logs_of_a_request_that_nobody_knows(running: LocalSystem):
    done = running("logs", "--local", "--request", "a.b")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "manage_all.sh: no event of the request a.b in the logs\n"


def test_tail(running: LocalSystem):
    call_status(running, 2)
    lines = log(running).decode().splitlines(keepends=True)
    assert running("tail", "--local", "-n", "3").stdout == "".join(lines[-3:])
    assert running("tail", "--local").stdout == "".join(lines[-10:])


def test_tail_follows(running: LocalSystem):
    call_status(running, 1)
    follower = running.popen("tail", "--local", "-f", "-n", "2")
    assert follower.stdout
    try:
        last = log(running).decode().splitlines(keepends=True)[-2:]
        assert [follower.stdout.readline() for _ in last] == last
        call_status(running, 1)
        assert [follower.stdout.readline() for _ in last] == log(running).decode().splitlines(keepends=True)[-2:]
    finally:
        os.killpg(follower.pid, signal.SIGINT)
        follower.communicate()


def test_tail_of_what_does_not_run(stopped: LocalSystem):
    done = stopped("tail", "--local")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "tail: service1 does not answer (connection refused); ./manage_all.sh status shows how it is\n"
    )


@pytest.mark.parametrize("command", ["status --local", "tail --local", "verify --local", "help"])
def test_a_reader_that_ends_early_is_no_error(running: LocalSystem, command: str):
    call_status(running, 1)
    piped = f'set -o pipefail; "{SCRIPT}" {command} | head -c 1 >/dev/null; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", piped], cwd=running.folder, env=running.environment, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout in ("0\n", "141\n")


def test_what_prints_into_a_pipe_that_is_closed_says_nothing(running: LocalSystem):
    call_status(running, 1)
    for command in ("status", "tail", "verify"):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [SCRIPT, command, "--local"],
            cwd=running.folder,
            env=running.environment,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (141, ""), command


def test_migrate_and_createsuperuser_before_the_first_start(stopped: LocalSystem):
    assert stopped("migrate", "--local").returncode == 0
    assert make_user(stopped, "first").returncode == 0
    assert users(stopped) == ["first"]
    assert make_user(stopped, "first").returncode == 1


def test_makemigrations_hands_on_its_arguments_and_the_exit_code(stopped: LocalSystem):
    assert stopped("makemigrations", "--check", "--dry-run").returncode == 0
    assert stopped("makemigrations", "--chek").returncode == 2


def test_reset_without_a_terminal_wants_yes(running: LocalSystem):
    call_status(running, 1)
    before = log(running)
    done = running("reset", "--local", stdin="yes\n")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert log(running) == before == running.vstorage.read_bytes()


@pytest.mark.parametrize("answer", ["no", "y", ""])
def test_reset_takes_anything_but_yes_for_a_no_and_says_so(running: LocalSystem, answer: str):
    call_status(running, 1)
    before = log(running)
    lines = before.count(b"\n")
    code, output = on_a_terminal(running, ["reset", "--local"], f"{answer}\n")
    assert code == 1
    assert f"Delete {lines} records of the log, in {running.data_dir}" in output
    assert f"Delete {lines} lines of {running.vstorage}" in output
    assert f"the answer was '{answer}', and only yes goes on" in output
    assert re.search(r"^(\033\[\S+m)?nothing was deleted", output, re.MULTILINE)
    assert log(running) == before == running.vstorage.read_bytes()


@pytest.mark.parametrize("answer", ["no", "y"])
def test_prune_takes_anything_but_yes_for_a_no_and_says_so(running: LocalSystem, answer: str):
    call_status(running, 1)
    before = log(running)
    code, output = on_a_terminal(running, ["prune", "--local", "--keep-last", "1"], f"{answer}\n")
    assert code == 1
    said = f"nothing was removed: the answer was '{answer}', and only yes goes on"
    assert said in output
    assert "CommandError" not in output
    assert log(running) == before


@pytest.mark.parametrize("limit", [["--older-than", "1M"], ["--keep-last", "1K"], ["--max-bytes", "5%"]])
def test_prune_refuses_a_wrong_limit_in_one_sentence(running: LocalSystem, limit: list[str]):
    done = running("prune", "--local", "--yes", *limit)
    assert (done.returncode, done.stdout) == (2, "")
    begins = f"manage_all.sh prune: {limit[0]}: '{limit[1]}': must be a "
    assert re.fullmatch(rf"{begins}.*; see \./manage_all\.sh prune --help\n", done.stderr)


def test_reset_asks_and_takes_yes_for_an_answer(running: LocalSystem):
    call_status(running, 1)
    code, _ = on_a_terminal(running, ["reset", "--local"], "yes\n")
    assert code == 0
    assert log(running) == running.vstorage.read_bytes() == b""


def test_reset_before_the_first_start(stopped: LocalSystem):
    stopped.vstorage.write_text("a line of an older run\n")
    done = stopped("reset", "--local", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert stopped.vstorage.read_bytes() == b""


def test_reset_under_load_fails_no_request_and_keeps_stores_equal_and_admins(running: LocalSystem):
    assert make_user(running, "kept").returncode == 0
    inode = running.vstorage.stat().st_ino
    answers: list[requests.Response] = []
    enough = threading.Event()

    def client() -> None:
        while not enough.is_set():
            answers.append(requests.get(f"{running.public}/status", timeout=10))

    clients = [threading.Thread(target=client) for _ in range(4)]
    for thread in clients:
        thread.start()
    try:
        for _ in range(2):
            done = running("reset", "--local", "--yes")
            assert done.returncode == 0, done.stderr
    finally:
        enough.set()
        for thread in clients:
            thread.join()

    assert [answer.text for answer in answers if answer.status_code != 200] == []
    lines = running.vstorage.read_bytes().count(b"\n")
    assert 0 < lines < 2 * len(answers)
    assert log(running) == running.vstorage.read_bytes()
    assert running.vstorage.stat().st_ino == inode
    assert "kept" in users(running)


def on_a_terminal(system: LocalSystem, arguments: list[str], typed: str, **settings: str) -> tuple[int, str]:
    """The exit code and what is shown when a person types the answer."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [SCRIPT, *arguments],
        cwd=system.folder,
        env=system.environment | settings,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:
            pass  # Linux says EIO when the last process at the terminal has ended
    os.close(ours)
    return process.returncode, shown.decode()


def test_status_shows_what_waits_in_the_outboxes(tmp_path: Path):
    system = LocalSystem(tmp_path / "waiting")
    system.start()
    storage = int((system.data_dir / "run" / "storage.pid").read_text())
    os.killpg(storage, signal.SIGSTOP)
    try:
        call_status(system, 2)
        shown = system("status", "--local")
    finally:
        os.killpg(storage, signal.SIGCONT)
        system.stop()
    assert shown.returncode == 1
    assert "service1  not ready\n            storage_unreachable: storage is down" in shown.stdout
    assert "outbox    service1: 2 waiting\n" in shown.stdout
