"""The driver's end of the pipe to the coordinator: JSON both ways."""

import json
import os
import queue
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

# what happened, what there is to say of it, and the worker to which it happened
News: TypeAlias = queue.SimpleQueue[tuple[str, Any, Any]]


class Channel:
    """The driver's end of the pipe."""

    def __init__(self, descriptor: int, news: News) -> None:
        self._pipe: Connection[Any, Any] = Connection(descriptor)
        self._news = news

    def listen(self) -> None:
        """Pass messages on, in a thread of their own; the pipe's end is a message to close."""
        try:
            while True:
                message = json.loads(self._pipe.recv_bytes())
                self._news.put((message["kind"], message, None))
        except (EOFError, OSError):
            _print_nowhere()  # who reads what we print may be gone as well
            self._news.put(("close", None, None))

    def say(self, kind: str, **about: Any) -> None:
        """Send a message."""
        with suppress(OSError):  # the coordinator is gone, which `listen` tells
            self._pipe.send_bytes(json.dumps({"kind": kind, **about}).encode())


def _print_nowhere() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
