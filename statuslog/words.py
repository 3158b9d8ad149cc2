"""How counts are written in what people read."""


def counted(count: int, what: str = "record") -> str:
    """Such as 1 record, or 2,000 records."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
