"""Waiting for an Optuna storage that is away for a while, as a database is that is restarted."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import shortened

Answer = TypeVar("Answer")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between tries


class Patience:
    """Repeats calls of a storage for as long as it does not answer, within a limit.

    Args:
        where: the storage, for messages.
        seconds: so long one call is repeated.
        say: is told once when the storage stops answering, and once when it answers again.
    """

    def __init__(self, where: str, seconds: float, say: Callable[[str], None]) -> None:
        self._where, self._seconds, self._say = where, seconds, say
        self._over = threading.Event()

    def end(self) -> None:
        """Wait no longer, now and later."""
        self._over.set()

    def keep(self, call: Callable[[], Answer], again: Callable[[], Answer] | None = None) -> Answer:
        """What ``call`` returns, repeated while the storage does not answer.

        Args:
            call: what is done.
            again: what is done instead after a failure, where a call that was cut off may have
                taken effect; ``call`` itself where left out.

        Raises:
            InputError: the storage did not answer within the limit.
        """
        begin, pause, tries = time.monotonic(), _FIRST_PAUSE, 0
        while True:
            try:
                answer = call() if not tries or again is None else again()
            except Exception as error:
                reason = _why_away(error)
                if reason is None:
                    raise
                left = self._seconds - (time.monotonic() - begin)
                if not tries and left > 0 and not self._over.is_set():
                    self._say(
                        f"the Optuna storage {self._where!r} does not answer ({reason}); it is "
                        f"tried again for {self._seconds:g} seconds"
                    )
                if left <= 0 or self._over.wait(min(pause, left)):
                    self.end()
                    raise InputError(
                        f"the Optuna storage {self._where!r} has not answered for "
                        f"{time.monotonic() - begin:.0f} seconds ({reason}); see to the server and "
                        "start the same command again: what is finished is kept"
                    ) from error
                tries, pause = tries + 1, min(2 * pause, _LONGEST_PAUSE)
            else:
                if tries:
                    self._say(f"the Optuna storage {self._where!r} answers again")
                return answer


def _why_away(error: BaseException | None) -> str | None:
    """Why the database could not be reached; None if an error is of another kind.

    Optuna wraps the errors of SQLAlchemy, which wraps those of the driver.
    """
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

    while error is not None:
        if isinstance(error, OperationalError | InterfaceError) or (
            isinstance(error, DBAPIError) and error.connection_invalidated
        ):
            first = str(error.orig).strip().partition("\n")[0]
            return shortened(first or type(error.orig).__name__)[:120]
        error = error.__cause__
    return None
