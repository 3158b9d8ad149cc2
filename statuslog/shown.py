"""How the page, the admin and the terminal show a value to people: the same words and units on each."""

from statuslog.words import counted

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


def duration(seconds: float) -> str:
    """Such as "12 s", "54 min", "8 h 54 min" or "3 days 2 h"."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if days:
        return f"{counted(days, 'day')} {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{whole} s"
