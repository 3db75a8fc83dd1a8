"""Waiting for workers: until when, and what a person is told meanwhile."""

import time
from collections.abc import Callable

_AGAIN, _MOST = 60.0, 1800.0  # seconds until it is said again, twice as long each time
_LOOK = 1.0  # seconds that one look takes at most


def wait_for(is_ready: Callable[[], bool], look: Callable[[float], object], timeout: float) -> bool:
    """Look again and again, for so many seconds at most; whether it is ready by then.

    ``look`` takes the seconds for which it may wait for news.
    """
    end = time.monotonic() + timeout
    while not is_ready():
        left = end - time.monotonic()
        if left <= 0:
            return False
        look(min(left, _LOOK))
    return True


class Reminder:
    """Says why something waits: at once, after a minute, and then less and less often.

    Args:
        say: is told.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._last = say, ""
        self._next, self._pause = 0.0, _AGAIN

    def tell(self, text: str) -> None:
        """Say it if it is new, or was said long enough ago; empty if nothing waits now."""
        now = time.monotonic()
        if text != self._last:
            self._last, self._next, self._pause = text, now, _AGAIN
        if text and now >= self._next:
            self._say(text)
            self._next, self._pause = now + self._pause, min(_MOST, 2 * self._pause)
