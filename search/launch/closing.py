"""The steps that put an experiment in order at its end, whatever ended it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def closing(*steps: Callable[[], object]) -> Iterator[None]:
    """Take every step after the body, also those after one that failed.

    Raises:
        Exception: what the body raised, and only if it raised nothing, what the first step that
            failed did: on a full disk all of them fail, and the first failure is the one to tell.
    """
    failures: list[Exception] = []
    try:
        yield
    except BaseException:
        _take(steps, failures)
        raise
    _take(steps, failures)
    if failures:
        raise failures[0]


def _take(steps: tuple[Callable[[], object], ...], failures: list[Exception]) -> None:
    for step in steps:
        try:
            step()
        except Exception as error:
            failures.append(error)
