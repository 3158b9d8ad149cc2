"""API_TOKENS: the tokens that a client must have, and the one that the services use among themselves.

What becomes of a request without one is access.py's. No text made here contains a token, that of an error neither.
"""

import hmac
import re
from dataclasses import dataclass, field
from typing import Literal

from statuslog import env
from statuslog.env import EnvError

Access = Literal["read", "write"]  # to write is to read as well

SHORTEST = 16
FEWEST_DIFFERENT = 6  # characters: "0000000000000000" is long enough, and no secret
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # fits into a header as it is: RFC 6750, 2.1
_FORM = "write it as read:TOKEN or write:TOKEN, and a comma between two"


@dataclass(frozen=True, slots=True)
class Token:
    access: Access
    secret: bytes = field(repr=False)


def of_environment() -> tuple[Token, ...]:
    """The tokens of API_TOKENS, or of the file that API_TOKENS_FILE names; none when neither is set. Raises EnvError.

    What is set and has no token in it is refused: it would open what was to be closed.
    """
    name, text = "API_TOKENS", env.text("API_TOKENS")
    if not text and env.text("API_TOKENS_FILE"):
        name, text = "API_TOKENS_FILE", env.content("API_TOKENS_FILE") or ","
    if not text:
        return ()
    found: list[Token] = []
    for number, item in enumerate(filter(None, re.split(r"[,\s]+", text)), start=1):
        access, _, secret = item.partition(":")
        if access not in ("read", "write"):
            raise EnvError(name, "…", f"token {number}: {_FORM}")
        if wrong := _weakness(secret):
            raise EnvError(name, "…", f"token {number} {wrong}; `openssl rand -hex 16` makes a good one")
        token = Token(access, secret.encode())
        if token.secret in (other.secret for other in found):
            raise EnvError(name, "…", f"token {number} is there twice; give each its own")
        found.append(token)
    if not any(token.access == "write" for token in found):
        raise EnvError(name, "…", f"no token may write, and the services need one among themselves; {_FORM}")
    return tuple(found)


def _weakness(secret: str) -> str:
    if len(secret) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
    if not _TOKEN.fullmatch(secret):
        return "has other characters than letters, digits and ._~+/-"
    if len(set(secret)) < FEWEST_DIFFERENT:
        return f"has fewer than {FEWEST_DIFFERENT} different characters"
    return ""


def access_with(secret: str, tokens: tuple[Token, ...]) -> Access | None:
    """What the secret allows. Every token is compared in full, so that the time it takes tells nothing of them."""
    given = secret.encode(errors="replace")
    found: Access | None = None
    for token in tokens:
        if hmac.compare_digest(token.secret, given):
            found = token.access
    return found


def of_the_services() -> dict[str, str]:
    """The header that a service sends to another one: with the first token that may write. Raises EnvError."""
    for token in of_environment():
        if token.access == "write":
            return {"Authorization": f"Bearer {token.secret.decode()}"}
    return {}
