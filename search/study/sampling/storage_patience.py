"""Waiting for an Optuna storage that is away for a while, as a database is that is restarted."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import shortened

Answer = TypeVar("Answer")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between tries
_SILENCE = 10.0  # a call without an answer for so many seconds is spoken of
_FIRST_WORD = 15.0  # seconds after which a wait is spoken of again; then each time twice as many
_GRACE = 2.0  # seconds that a call may still take once nobody waits any longer
_LOOK = 0.5  # seconds between two looks at a call that is under way


class Patience:
    """Repeats calls of a storage for as long as it does not answer, within a limit.

    A server that is gone refuses the call; one that hangs leaves it open, and only a look from
    another thread can say so, or cut it.

    Args:
        where: the storage, for messages.
        seconds: so long one call is repeated.
        say: is told when the storage stops answering, now and then while it is waited for, and when
            it answers again.
        cut: lets a call that hangs fail; None for a storage that cannot hang.
    """

    def __init__(
        self,
        where: str,
        seconds: float,
        say: Callable[[str], None],
        cut: Callable[[], None] | None = None,
    ) -> None:
        self._where, self._seconds, self._say = where, seconds, say
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._begin: float | None = None  # of the call that is under way
        self._next_word = 0.0  # seconds of waiting after which it is spoken of
        if cut is not None:
            threading.Thread(target=self._watch, args=[cut], daemon=True, name="storage").start()

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
        pause, tries = _FIRST_PAUSE, 0
        with self._lock:
            begin = self._begin = time.monotonic()
            self._next_word = 0.0
        try:
            while True:
                try:
                    answer = call() if not tries or again is None else again()
                except Exception as error:
                    reason = _why_away(error)
                    if reason is None:
                        raise
                    left = self._seconds - (time.monotonic() - begin)
                    if left > 0 and not self._over.is_set():
                        self._speak(time.monotonic() - begin, reason)
                    if left <= 0 or self._over.wait(min(pause, left)):
                        self.end()
                        raise InputError(
                            f"the Optuna storage {self._where!r} has not answered for "
                            f"{time.monotonic() - begin:.0f} seconds ({reason}); see to the "
                            "server and start the same command again: what is finished is kept"
                        ) from error
                    tries, pause = tries + 1, min(2 * pause, _LONGEST_PAUSE)
                else:
                    with self._lock:
                        if self._next_word:
                            self._say(f"the Optuna storage {self._where!r} answers again")
                        self._begin = None
                    return answer
        finally:
            self._begin = None

    def _speak(self, waited: float, reason: str) -> None:
        """Say that the storage is waited for, if it is time to."""
        with self._lock:
            if self._begin is None or waited < self._next_word:
                return
            if not self._next_word:
                self._say(
                    f"the Optuna storage {self._where!r} does not answer ({reason}); it is "
                    f"tried again for {self._seconds:g} seconds"
                )
            else:
                self._say(
                    f"the Optuna storage {self._where!r} has not answered for {waited:.0f} seconds "
                    f"({reason}); trainings go on, and it is tried for "
                    f"{self._seconds - waited:.0f} seconds more"
                )
            self._next_word = max(_FIRST_WORD, 2 * waited)

    def _watch(self, cut: Callable[[], None]) -> None:
        """Look after calls that hang, until nobody calls any more."""
        over_since: float | None = None
        while True:
            self._over.wait(_LOOK) if over_since is None else time.sleep(_LOOK)
            now, begin = time.monotonic(), self._begin
            if self._over.is_set():
                over_since = over_since or now
                if begin is None:
                    return
                if now - over_since > _GRACE:
                    cut()
            elif begin is not None and now - begin > self._seconds:
                cut()
            elif begin is not None and now - begin > _SILENCE:
                self._speak(now - begin, "no answer so far")


def _why_away(error: BaseException | None) -> str | None:
    """Why the database could not be reached; None if an error is of another kind.

    Optuna wraps the errors of SQLAlchemy, which wraps those of the driver.
    """
    from search.study.sampling.database import StorageAway, is_away, reason_of

    while error is not None:
        if isinstance(error, StorageAway):
            return shortened(error)
        if is_away(error):
            return reason_of(error)
        error = error.__cause__
    return None
