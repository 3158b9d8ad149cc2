"""A bar on a person's terminal for what takes long."""

import sys
import time

WIDTH = 40
PAUSE = 0.1  # seconds between two drawings


class Progress:
    """Draws on stderr, if that is a terminal or `shown` says that a terminal is at the other end of it."""

    def __init__(self, shown: bool = False) -> None:
        self._shown = shown or sys.stderr.isatty()
        self._drawn = 0.0

    def __call__(self, share: float | None, text: str) -> None:
        """`share` of the work is done (None: nobody knows how much there is), and `text` says what."""
        if not self._shown or time.monotonic() - self._drawn < PAUSE:
            return
        self._drawn = time.monotonic()
        bar = "" if share is None else f"[{'#' * int(WIDTH * share):{WIDTH}}] {share:4.0%} "
        sys.stderr.write(f"\r{bar}{text} \033[K")
        sys.stderr.flush()

    def of_bytes(self, done: int, size: int) -> None:
        self(done / size if size else 1.0, f"of {size / 2**20:,.1f} MiB")

    def end(self) -> None:
        """Take the bar away: what is printed next begins a line."""
        if self._drawn:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self._drawn = 0.0
