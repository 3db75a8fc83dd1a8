"""The terminal as this program writes to it: names, paths and messages are plain text."""

import os
from collections.abc import Iterable
from typing import Any

from rich import console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment

from hybrid_swin.errors.plain_text import harmless

_UNBROKEN = 10_000  # columns


class Console(console.Console):
    """Rich's console without markup and emoji codes, which prints no control characters.

    ``[b]``, ``:gate:`` and ESC may stand in a path, a label or an error's message. What is to be
    seen in a style is a ``Text``, or printed with ``style``. A notebook gets plain lines as a file
    does: nothing is drawn over, and no line becomes an output of its own.
    """

    def __init__(self, **options: Any) -> None:
        if console.Console().is_jupyter:
            options = {"force_terminal": False, **options}  # a kernel sets FORCE_COLOR
        super().__init__(markup=False, emoji=False, force_jupyter=False, **options)

    @classmethod
    def for_tables(cls) -> "Console":
        """A console for rows to be searched and copied: broken on a terminal only.

        Elsewhere lines are as long as they are, unless ``COLUMNS`` says how long they may be.
        """
        there = cls()
        if there.is_terminal or os.environ.get("COLUMNS", "").isdecimal():
            return there
        return cls(width=_UNBROKEN)

    def say(self, text: object, style: str | None = None) -> None:
        """Print a line as it stands: numbers get no colour, and it is not broken."""
        self.print(text, style=style, highlight=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """The reader of the output has gone; rich would end the program with exit code 1."""
        self.quiet = True
        raise BrokenPipeError

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """As rich renders it, the text made harmless."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(harmless(text), style)
