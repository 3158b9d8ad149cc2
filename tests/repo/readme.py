"""README.md's commands, as its fenced blocks hold them; tests/repo/test_readme.py says how they are written."""

import re
from dataclasses import dataclass, field

from tests.processes import ROOT, free_ports

README = ROOT / "README.md"
BLOCK = re.compile(r"^ *```([^\n`]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
PORT = re.compile(r"((?:localhost|127\.0\.0\.1):|_PORT=|runserver )(\d{4,5})\b")

UUID = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
VARIABLE = re.compile(rf"(?P<id>{UUID})|(?P<anything>…)|(?P<digits>[0-9]+)")
STANDS_FOR = {"id": UUID, "anything": ".*", "digits": "[0-9]+"}


@dataclass
class Command:
    """What stands behind `$ `, and the lines that it is said to print."""

    text: str
    printed: list[str] = field(default_factory=list)


def blocks() -> list[tuple[str, str]]:
    """The mark and the text of every fenced block, in order."""
    return [(mark.strip(), text) for mark, text in BLOCK.findall(README.read_text())]


def stories(mark: str) -> list[list[Command]]:
    """The commands of each block with that mark."""
    return [commands(text) for found, text in blocks() if found == mark]


def commands(block: str) -> list[Command]:
    found: list[Command] = []
    for line in map(str.strip, block.splitlines()):
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        elif found and found[-1].text.endswith("\\"):
            found[-1].text = found[-1].text[:-1] + line.removeprefix("> ")
        elif found and line:
            found[-1].printed.append(line)
    return found


def looks_like(expected: str, printed: str) -> bool:
    """Whether a line is what README shows: any digits for its digits, any id for its ids, anything for `…`."""
    expected, printed = expected.strip(), printed.strip()
    if expected.startswith("HTTP/"):
        return expected == printed  # the status code is what such a line is for
    pattern, end = "", 0
    for part in VARIABLE.finditer(expected):
        pattern += re.escape(expected[end : part.start()]) + STANDS_FOR[part.lastgroup or ""]
        end = part.end()
    return re.fullmatch(pattern + re.escape(expected[end:]), printed) is not None


class FreePorts:
    """Puts a free port in place of each port that README writes, the same for the same."""

    def __init__(self, known: dict[int, int]) -> None:
        self._known = known

    def __call__(self, command: str) -> str:
        return PORT.sub(self._replacement, command)

    def _replacement(self, match: re.Match[str]) -> str:
        port = int(match[2])
        if port not in self._known:
            self._known[port] = free_ports(1)[0]
        return f"{match[1]}{self._known[port]}"
