"""How the page, the admin and the terminal show a value to people: the same words and units on each."""

UNITS = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20))
NO_SERVICE = "no service"  # of a record that names none: an imported line, or a posted text
UNKNOWN = "unknown"  # a value that could not be measured, or that a line does not say


def size(count: float | None) -> str:
    """Bytes in the largest unit that makes 1 or more of them, such as "35.36 GiB"."""
    if count is None:
        return UNKNOWN
    unit, factor = next(((unit, factor) for unit, factor in UNITS if count >= factor), UNITS[-1])
    return f"{count / factor:,.2f} {unit}"


def service(name: str) -> str:
    """The service's name."""
    return name or NO_SERVICE
