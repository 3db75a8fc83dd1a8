"""What a person is told at once, and again every minute while it lasts."""

import time
from collections.abc import Callable

_AGAIN = 60.0  # seconds


class Reminder:
    """Says why something waits.

    Args:
        say: is told.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._last, self._next = say, "", 0.0

    def tell(self, text: str) -> None:
        """Say it if it is new, or was said a minute ago; empty if nothing waits now."""
        now = time.monotonic()
        if text and (text != self._last or now >= self._next):
            self._say(text)
            self._next = now + _AGAIN
        self._last = text
