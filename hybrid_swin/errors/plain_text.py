"""Text from elsewhere (names, values, messages) that can do nothing but be read."""

import math
import re
from typing import Any

# Control characters, line and paragraph separators, marks that turn the direction of text or have
# no width or show nothing, halves of surrogate pairs and what is not a character,
# which no file takes.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
LONGEST = 300  # characters of a message
LONGEST_ERROR = 1_000  # of an error that is kept with what it ended
_LONG_WORD = re.compile(r"\S{73,}")  # it is cut to its start and its end
_START, _END = 44, 16
_GAP = "[...]"
# A command runs as it is printed, or is left out.
_COMMAND = re.compile(r"`(?:python|hybrid-swin) [^`]{1,1000}`")
_PLACES = "\x00\x01\x02"  # of the first commands of a line, which has none of these characters
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also full-width
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "≈": r"$\approx$",
}


def harmless(text: str) -> str:
    r"""The text with ``?`` for every unseen character; line breaks stay."""
    return _UNSEEN.sub(lambda match: match[0] if match[0] == "\n" else "?", text)


def say(text: object) -> None:
    """Print to the terminal, at once, what may hold words of the user's or of a file."""
    print(harmless(str(text)), flush=True)


def visible(text: str) -> str:
    r"""The text with unseen characters spelt as in Python: ESC is ``\x1b``."""
    return _UNSEEN.sub(lambda match: repr(match[0])[1:-1], text)


def one_line(text: str, longest: int = LONGEST) -> str:
    """A message on one line of at most ``longest`` characters, whatever it quotes.

    Unseen characters are spelt out. In a message that is too long, long words (values, paths) lose
    their middle first, then the message does: its start says what is wrong, its end what to do.
    Commands in backticks are never cut and do not count, up to 1,000 characters each.
    """
    if len(text) > 64 * longest:  # so that it costs nothing to look at the rest
        text = text[: 32 * longest] + _GAP + text[-32 * longest :]
    line = visible(" ".join(re.split(r"[ \t\r\n]+", text.strip())))
    if len(line) <= longest:
        return line
    commands = dict(zip(_PLACES, _COMMAND.findall(line), strict=False))
    for place, command in commands.items():
        line = line.replace(command, place)
    line = _LONG_WORD.sub(lambda word: _cut(word[0], _START, _END), line)
    if len(line) > longest:
        end = longest * 2 // 5
        line = _cut(line, longest - end - len(_GAP), end)
    for place, command in commands.items():
        line = line.replace(place, command)
    return line


def _cut(text: str, start: int, end: int) -> str:
    return text[:start] + _GAP + text[-end:]


def shortened(text: str, longest: int) -> str:
    """A long text as its start and its end, with a line between them that says what is left out."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters were cut here]\n{text[-half:]}"


def message_of(error: BaseException) -> str:
    """What an exception says; '' if nothing. Never raises, whatever class of exception it is."""
    try:
        return str(error)
    except (Exception, SystemExit) as other:  # a class of the user's own that cannot say it
        return f"(its message cannot be read: {type(other).__name__})"


def described(error: BaseException) -> str:
    """An exception of code that is not ours: its kind, and what it says."""
    return ": ".join(filter(None, (type(error).__name__, message_of(error))))


def csv_cell(value: Any) -> str:
    """A value as a cell of a CSV file, on one line; what a spreadsheet would run gets a quote.

    Empty for None and numbers that are not finite; numbers, also as text, have every digit.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    if not isinstance(value, str):
        return repr(value)
    text = unbroken(value)
    formula = text.lstrip().startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text)
    return f"'{text}" if formula else text


def markdown(text: str) -> str:
    """Markdown that shows a text as it is; brackets of intervals stay as they are."""
    escaped = "".join("\\" + char if char in "\\|_*<>`&~$" else char for char in unbroken(text))
    return escaped.replace("](", "]\\(")  # else a link


def latex(text: str) -> str:
    """LaTeX that prints a text as it is, also at a row's start, where [ would be an option."""
    escaped = "".join(_LATEX.get(char, char) for char in unbroken(text))
    return "{}" + escaped if escaped.startswith(("[", "*")) else escaped


def unbroken(text: str) -> str:
    """The text with ``?`` for every unseen character and line break: a name in a table."""
    return harmless(text).replace("\n", "?")
