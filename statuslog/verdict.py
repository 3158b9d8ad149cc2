"""How a service recognises storage's own answer, whatever program is at storage's address.

Each request carries a random challenge. Only storage knows how to answer it: with a digest of the challenge and of its
verdict on the request. A proxy's error page, another service or a captive portal has no such header, and one that
echoes what it was sent has the wrong one. It is no secret, and keeps nobody out who means harm: API_TOKENS does that.
"""

import os
from enum import StrEnum
from hashlib import sha256

CHALLENGE = "Log-Challenge"
VERDICT = "Log-Verdict"


class Verdict(StrEnum):
    """What storage has made of a request."""

    ANSWERED = "answered"  # it has answered, without a look at records
    STORED = "stored"  # all records are committed, or the fence is set
    REFUSED = "refused"  # it has looked at the records, and would refuse them again
    EARLY = "early"  # the time of a record has not come yet
    LARGE = "large"  # the body is longer than MAX_BODY_BYTES
    FENCED = "fenced"  # a later fence was set


def challenge() -> str:
    """What a request carries as `Log-Challenge`: 16 hexadecimal digits."""
    return os.urandom(8).hex()


def show(verdict: Verdict, challenge: str) -> str:
    """The value of `Log-Verdict`: the verdict, and the digest that belongs to this challenge."""
    return f"{verdict} {sha256(f'statuslog {challenge} {verdict}'.encode()).hexdigest()[:32]}"


def read(value: str | None, challenge: str) -> Verdict | None:
    """The verdict in a `Log-Verdict`; None if it is not storage's answer to this challenge."""
    word = (value or "").partition(" ")[0]
    if word not in Verdict.__members__.values() or value != show(Verdict(word), challenge):
        return None
    return Verdict(word)
