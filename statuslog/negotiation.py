"""Which form of an answer the client likes best: `Accept` and `Accept-Encoding`, by RFC 9110, 12.5.1 and 12.5.3.

Every choice of a form in the three services is made here. Plain functions on the headers' text: what to do when no
form fits is for the caller to say.
"""

import re
from functools import lru_cache
from typing import NamedTuple

MOST_MEMBERS = 64  # of one header that are looked at
# What stands between two separators; one in quotes is none. Quotes that are not closed go to the end.
_SPLIT = {separator: re.compile(rf'(?:[^{separator}"]|"(?:\\.|[^"\\])*(?:"|\\?\Z))+', re.DOTALL) for separator in ",;"}
_WEIGHT = re.compile(r"[0-9]*\.?[0-9]*")
# What a form has without saying so: all of our text and JSON is UTF-8.
_ALWAYS = {("charset", "utf-8"), ("charset", "utf8")}


class Choice(NamedTuple):
    """The form that is chosen, by its number, and the parameters that the header names it with."""

    number: int
    parameters: dict[str, str]


class _Range(NamedTuple):
    name: str
    parameters: dict[str, str]
    weight: float


# The same few headers come again and again. A client may send any other, so there is a bound.
@lru_cache(maxsize=128)
def preferred(accept: str, offers: tuple[str, ...]) -> Choice | None:
    """The offer that `Accept` gives the highest weight; None if it allows none of them.

    `offers` are media types, in the order in which we like to give them. Of two with the same weight the one wins that
    the header names more exactly, then the one that it names first. An empty header allows all.
    """
    ranges = _ranges(accept)
    if not ranges:
        return Choice(0, {})
    best = (0.0, 0, 0, 0)
    for number, offer in enumerate(offers):
        (own,) = _ranges(offer)
        exactness, place = max((_exactness(asked, own), -place) for place, asked in enumerate(ranges))
        if exactness:
            best = max(best, (ranges[-place].weight, exactness, place, -number))
    weight, _, place, number = best
    return Choice(-number, ranges[-place].parameters) if weight else None


def _exactness(asked: _Range, own: _Range) -> int:
    """How exactly the range names the form: 0 if it does not."""
    if asked.name in ("*/*", "*"):
        return 1
    if asked.name.endswith("/*") and own.name.startswith(asked.name[:-1]):
        return 2
    if asked.name != own.name:
        return 0
    if asked.parameters.items() - own.parameters.items() - _ALWAYS:
        # Another version of the form is asked for. Ours is nearer to it than a form that has not been named.
        return 3 if asked.weight else 0
    return 4 + len(asked.parameters)


@lru_cache(maxsize=128)
def takes_gzip(accept_encoding: str) -> bool:
    """Whether the answer is to be compressed: gzip has a weight, and none that is smaller than that of plain bytes.

    Who refuses both gets plain bytes.
    """
    weights: dict[str, float] = {}
    for coding in _ranges(accept_encoding):
        weights.setdefault(coding.name.removeprefix("x-"), coding.weight)
    anything = weights.get("*")
    plain = weights.get("identity", anything)
    if "gzip" in weights:
        return 0 < weights["gzip"] >= (plain or 0)
    # "*" alone is no wish for a coding; it is one where plain bytes are liked less.
    return anything is not None and anything > (anything if plain is None else plain)


def _ranges(header: str) -> list[_Range]:
    """The members of the header, of which a wrong one names no form."""
    members = (member.strip() for member in _SPLIT[","].findall(header))
    return [_range(member) for member, _ in zip(filter(None, members), range(MOST_MEMBERS), strict=False)]


def _range(member: str) -> _Range:
    name, *rest = [part.strip() for part in _SPLIT[";"].findall(member)] or [""]
    parameters, weight = {}, 1.0
    for parameter in rest:
        key, _, value = (part.strip().lower() for part in parameter.partition("="))
        if key == "q":
            weight = _weight(value)
            break  # what comes behind the weight is none of the form's
        parameters[key] = value.strip('"')
    return _Range(name.lower(), parameters, weight)


def _weight(text: str) -> float:
    """1 for what is no number between 0 and 1: the client names the form, so it wants it."""
    if not _WEIGHT.fullmatch(text) or not text.strip("."):
        return 1.0
    return min(1.0, float(text))
