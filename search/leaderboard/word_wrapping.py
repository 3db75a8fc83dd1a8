"""Block words in a cell: lines break between branches and blocks, never within a name."""

import re
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

_BLANK = re.compile(r"(?<=\s)(?=[^\s|])")  # no line begins with "|"
_WITHIN = re.compile(r"(?<=[+:|])(?=\S)|(?<=\S)(?=[+:|])")  # behind a sign if it fits


@dataclass(frozen=True)
class Words:
    """Plain text for a cell; a piece is folded only where it is longer than a line.

    Square brackets are not markup, control codes no command.
    """

    text: str

    @property
    def plain(self) -> str:
        """What is printed."""
        return "".join(char if char.isprintable() else "?" for char in self.text)

    def lines(self, width: int) -> list[str]:
        """As many words a line as fit; one that is longer than a line breaks between branches."""
        lines = [""]
        for word in _BLANK.split(self.plain):
            fits = cell_len(word.rstrip()) <= width
            for piece in [word] if fits else _WITHIN.split(word):
                if lines[-1] and cell_len(f"{lines[-1]}{piece}".rstrip()) > width:
                    lines[-1] = lines[-1].rstrip()
                    lines.append("")
                lines[-1] += piece
        return lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As rich wants it."""
        yield Text("\n".join(self.lines(options.max_width)), overflow="fold")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """From the longest piece to all in one line."""
        pieces = [p for word in _BLANK.split(self.plain) for p in _WITHIN.split(word)]
        longest = max(cell_len(piece.rstrip()) for piece in pieces)
        whole = Measurement(longest, cell_len(self.plain))
        return whole.with_maximum(options.max_width)
