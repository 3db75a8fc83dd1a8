"""Class names that are one to the eye: refused, or named where a class is one too many."""

import unicodedata
from collections.abc import Sequence

from hybrid_swin.data.spellings import folded, without_split
from hybrid_swin.errors import InputError, shown


def check_class_names(names: Sequence[str]) -> None:
    """Raise InputError for fewer than two classes, or two whose names look alike."""
    if len(names) < 2:
        raise InputError(
            f"the data has only the class(es) {list(names)}; a classifier needs at least two"
        )
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(_looks(name), name)
        if twin != name:
            raise InputError(
                f"classes {twin!a} and {name!a} look alike: they differ in blanks or in "
                "how their letters are stored; make them one, or rename one"
            )


def check_no_splits(names: Sequence[str], where: str, advice: str) -> None:
    """Raise InputError for classes such as 'train_cat' and 'test_cat': each would be a class."""
    parts = [without_split(name) for name in names]
    first: dict[str, str] = {}
    for name, (_, rest) in zip(names, parts, strict=True):
        twin = first.setdefault(rest, name)
        if twin != name and all(word for word, _ in parts):
            raise InputError(
                f"{where}: {shown(twin, 40)} and {shown(name, 40)} seem to be one class in two "
                f"splits; {advice}"
            )


def check_surplus(names: Sequence[str], num_classes: int) -> None:
    """Raise InputError where classes under two spellings are those that are too many."""
    seen: dict[str, str] = {}
    twins = []
    for name in names:
        twin = seen.setdefault(folded(name) or name, name)
        if twin != name:
            twins.append((twin, name))
    if twins and len(seen) == num_classes:
        one, other = twins[0]
        how = "only in case" if one.casefold() == other.casefold() else "in nothing but spelling"
        more = f", and {len(twins) - 1} more likewise" if len(twins) > 1 else ""
        raise InputError(
            f"classes {shown(one, 40)} and {shown(other, 40)} differ {how}{more}: write each class "
            f"one way for the {num_classes} classes of the variant; num_classes: {len(names)} if "
            "they are different classes"
        )


def twin_of(name: str, names: Sequence[str]) -> str:
    """A question that names the class which is spelt otherwise, or nothing."""
    plain = folded(name)
    twins = [other for other in names if other != name and folded(other) == plain]
    return f" (is it class {twins[0]!r}, spelt otherwise?)" if twins else ""


def _looks(name: str) -> str:
    """A name as it is seen: without invisible marks, outer blanks and several blanks in a row."""
    text = unicodedata.normalize("NFC", name)
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split())
