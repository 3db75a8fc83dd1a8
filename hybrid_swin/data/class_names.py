"""Class names that are one to the eye: refused, or named where a class is one too many."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence

from hybrid_swin.data.spellings import folded, without_split
from hybrid_swin.errors import InputError, quote


def check_class_names(names: Sequence[str]) -> None:
    """Raise InputError for fewer than two classes, or two whose names look alike."""
    if len(names) < 2:
        raise InputError(
            f"the data has only the class(es) {list(names)}; a classifier needs at least two"
        )
    for twin, name in twins(names, _looks):
        raise InputError(
            f"classes {twin!a} and {name!a} look alike: they differ in blanks or in "
            "how their letters are stored; make them one, or rename one"
        )


def check_no_splits(names: Sequence[str], where: str, advice: str) -> None:
    """Raise InputError for classes such as 'train_cat' and 'test_cat': each would be a class."""
    if not all(split for split, _ in map(without_split, names)):
        return
    for twin, name in twins(names, lambda name: without_split(name)[1]):
        raise InputError(
            f"{where}: {quote(twin, 40)} and {quote(name, 40)} seem to be one class in two "
            f"splits; {advice}"
        )


def check_surplus(names: Sequence[str], num_classes: int) -> None:
    """Raise InputError where classes under two spellings are those that are too many."""
    pairs = twins(names, folded)
    if pairs and len(names) - len(pairs) == num_classes:
        one, other = pairs[0]
        how = "only in case" if one.casefold() == other.casefold() else "in nothing but spelling"
        more = f", and {len(pairs) - 1} more likewise" if len(pairs) > 1 else ""
        raise InputError(
            f"classes {quote(one, 40)} and {quote(other, 40)} differ {how}{more}: write each class "
            f"one way for the {num_classes} classes of the variant; num_classes: {len(names)} if "
            "they are different classes"
        )


def twins(names: Iterable[str], key: Callable[[str], str]) -> list[tuple[str, str]]:
    """The names that a key makes one with another that came first: (first, name)."""
    first: dict[str, str] = {}
    return [(first[key(n)], n) for n in names if first.setdefault(key(n), n) != n]


def twin_of(name: str, names: Sequence[str]) -> str:
    """A question that names the class which is spelt otherwise, or nothing."""
    plain = folded(name)
    others = [other for other in names if other != name and folded(other) == plain]
    return f" (is it class {others[0]!r}, spelt otherwise?)" if others else ""


def _looks(name: str) -> str:
    """A name as it is seen: without invisible marks, outer blanks and several blanks in a row."""
    text = unicodedata.normalize("NFC", name)
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split())
