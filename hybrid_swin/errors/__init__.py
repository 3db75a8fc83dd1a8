"""Errors that the user must fix: one sentence, no traceback, exit code 2."""

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches

from hybrid_swin.errors.plain_text import one_line

_LONGEST_NAME = 100  # of which a nearest one is looked for, in time that grows with its square


class InputError(ValueError):
    """Something the user gave cannot work.

    The message says what is wrong, the value received, what is allowed and what to do; on one line
    of a bounded length, whatever the value.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


def unknown(kind: str, name: object, allowed: Iterable[str], meant: str = "") -> InputError:
    """The error for a name that does not exist: what it means, or the nearest one that does."""
    known = sorted(allowed)
    listed = f"({_plural(kind)}: {', '.join(known) or 'none'})"
    return InputError(f"unknown {kind} {name!r}{meant or did_you_mean(name, known)} {listed}")


def did_you_mean(name: object, allowed: Iterable[str]) -> str:
    """The end of a message that names what a slip stands for, in any case; '' for no slip."""
    known = {word.casefold(): word for word in allowed}
    word = str(name)[:_LONGEST_NAME].strip().casefold()
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    # of letters that changed places in a short word too few stay in order
    close = close or [other for other in known if sorted(other) == sorted(word)][:1]
    return f"; did you mean {known[close[0]]!r}?" if close else ""


def quote(value: object, most: int = 60) -> str:
    """A value, quoted for a message: on one line, and cut in the middle if it is long."""
    text = repr(value)
    half = (most - 5) // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"


def with_article(noun: str) -> str:
    """A noun behind ``a`` or ``an``."""
    return f"{'an' if noun[:1] in 'aeio' else 'a'} {noun}"


def few(items: Iterable[str], most: int = 3) -> str:
    """The first items, and how many more there are: 'a, b, c and 2 more'."""
    named = list(items)
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more


def check_flags(**flags: object) -> None:
    """Raise InputError for one that is neither True nor False, nor None for its default."""
    for name, value in flags.items():
        if value is not None and not isinstance(value, bool):
            raise InputError(f"{name} must be True or False; got {quote(value)}")


def out_of_memory(error: MemoryError) -> InputError:
    """The error for what does not fit into this machine's memory."""
    detail = f" ({error})" if str(error) else ""
    return InputError(
        f"this machine has not enough memory for that{detail}; give fewer or smaller images, a "
        "smaller batch or network, or end other programs"
    )


def here(path: object) -> str:
    """Where a relative path was looked for, as in " in '/home/me'"; empty for whole paths."""
    if os.path.isabs(str(path)):
        return ""
    try:
        return f" in {quote(os.getcwd(), 80)}"
    except OSError:  # it has been removed
        return " in a working folder that is no longer there"


def _plural(kind: str) -> str:
    match = re.fullmatch(r"(.*?)( (?:of|for) .*)?", kind, re.DOTALL)
    noun, rest = (match[1], match[2] or "") if match else (kind, "")
    return noun + ("es" if noun.endswith(("ch", "s", "x")) else "s") + rest
