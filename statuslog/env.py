"""Typed reading of environment variables that refuses nonsense.

Every variable of the system is read through this module, so that an error names the variable, the value and
what to write instead, and so that a test can find all of them. It must not know what a variable is for.
"""

import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from statuslog import quantities
from statuslog.quantities import Share

ROOT = Path(__file__).resolve().parent.parent
Quantity = TypeVar("Quantity")


class EnvError(Exception):
    """A variable has a value that the system cannot run with; the text says what to write instead."""

    def __init__(self, name: str, value: str, wanted: str) -> None:
        super().__init__(f"{name}={value!r}: {wanted}")


def text(name: str, default: str = "") -> str:
    """The variable as it is; unset and empty both mean the default, as in Compose's `${NAME:-default}`."""
    return os.environ.get(name) or default


def tell(name: str, value: str) -> None:
    """Set the variable for what runs in this process."""
    os.environ[name] = value


def forget(name: str) -> None:
    """Take the variable away from what runs in this process."""
    os.environ.pop(name, None)


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    value = text(name, default)
    if value not in choices:
        raise EnvError(name, value, f"set it to one of: {', '.join(choices)}")
    return value


def integer(name: str, default: int, *, minimum: int = 0) -> int:
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit()) or int(value) < minimum:
        raise EnvError(name, value, f"set it to a whole number, {minimum} or more")
    return int(value)


def size(name: str, default: int, *, minimum: int = 0) -> int:
    """In bytes, such as 1.5G."""
    found = _quantity(name, str(default), quantities.size)
    if found < minimum:
        raise EnvError(name, text(name), f"set it to {quantities.SIZE}, {minimum} or more")
    return found


def size_or_share(name: str, default: int) -> int | Share:
    """A size in bytes, or a share of a disk, such as 5%."""
    return _quantity(name, str(default), quantities.size_or_share)


def _quantity(name: str, default: str, read: Callable[[str], Quantity]) -> Quantity:
    value = text(name, default)
    try:
        return read(value)
    except ValueError as error:
        raise EnvError(name, value, f"set it to {error}") from None


def flag(name: str) -> bool:
    """True for 1, false for 0 and for unset."""
    return choice(name, "0", ("0", "1")) == "1"


def csv(name: str, default: str = "") -> list[str]:
    return [item.strip() for item in text(name, default).split(",") if item.strip()]


def path(name: str, default: Path) -> Path:
    """An absolute path; a relative one is taken from the current folder."""
    return Path(text(name, str(default))).absolute()


def url(name: str, default: str) -> str:
    """The base address of a service, `http://host:port`, without a slash at its end."""
    value = text(name, default).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise EnvError(name, value, "set it to an address such as http://127.0.0.1:8202")
    return value


def content(name: str) -> str:
    """The content of the file that the variable names, without the space around it; unset means empty."""
    file = text(name)
    try:
        return Path(file).read_text().strip() if file else ""
    except OSError as error:
        raise EnvError(name, file, f"the file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise EnvError(name, file, "the file cannot be read: it is no text in UTF-8") from error


def data_dir(service: str) -> Path:
    """The folder of one service's own files, under DATA_DIR."""
    return path("DATA_DIR", ROOT / "data") / service


def secret_key(folder: Path) -> str:
    """DJANGO_SECRET_KEY, else the content of DJANGO_SECRET_KEY_FILE, else a key made once in `folder`.

    Two processes that start together agree on one key: the file is made whole beside its place and linked
    there, which only one of them can do.
    """
    if key := text("DJANGO_SECRET_KEY"):
        return key
    named = text("DJANGO_SECRET_KEY_FILE")
    file = Path(named) if named else folder / "secret_key"
    try:
        if not named and not file.exists():
            _make_secret_key(file)
        key = file.read_text().strip()
    except OSError as error:
        name = "DJANGO_SECRET_KEY_FILE" if named else "DATA_DIR"
        raise EnvError(name, str(file), f"cannot keep a secret key there: {error.strerror}") from error
    if not key:
        raise EnvError("DJANGO_SECRET_KEY_FILE", str(file), "the file is empty; put a long random text in it")
    return key


def _make_secret_key(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    own = file.with_name(f".secret_key.{os.getpid()}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(50))
        with suppress(FileExistsError):  # another process was quicker; its key is ours
            os.link(own, file)
    finally:
        own.unlink()
