"""Which arrays of an archive are ours: their names as people spell them."""

import re
from functools import cache

from hybrid_swin.data.spellings import ARRAYS, SPLITS, simplify
from hybrid_swin.errors import InputError, few, quote

CLASS_NAMES = "", "class_names"  # of no split


def arrays_wanted(names: list[str], file: str) -> tuple[dict[tuple[str, str], str], list[str]]:
    """The names of our arrays by split and kind, and notes."""
    wanted: dict[tuple[str, str], str] = {}
    unused, notes = [], []
    for name in names:
        is_names = simplify(name) in ("classnames", "classname", "labelnames")
        key = CLASS_NAMES if is_names else _split_and_kind(name, file)
        plain = "_".join(filter(None, key))
        if not plain:
            unused.append(name)
            continue
        if key in wanted:
            raise InputError(
                f"{file} gives {plain} twice, as {quote(wanted[key], 40)} and {quote(name, 40)}; "
                "take one out"
            )
        wanted[key] = name
        if name not in (plain, plain.replace("validation", "val", 1)):
            notes.append(f"array {quote(name, 40)} read as {plain}")
    for key, name in wanted.items():
        if key != CLASS_NAMES and (key[0], "images") not in wanted:
            raise InputError(
                f"{file}: array {quote(name, 40)} stands without {key[0]}_images; add it, or take "
                "it out"
            )
    if unused:
        notes.append(f"arrays not used: {few((quote(name, 30) for name in unused), 5)}")
    return wanted, notes


@cache
def _array_names() -> dict[str, tuple[str, str]]:
    """Each spelling of split and kind together, in either order."""
    return {
        name: (split, kind)
        for one, split in SPLITS.meanings.items()
        for other, kind in (*ARRAYS.meanings.items(), *ARRAYS.exact.items())
        for name in (one + other, other + one)
    }


def _split_and_kind(name: str, file: str) -> tuple[str, str]:
    """What an array is, such as ('train', 'images'); ('', '') for none of ours.

    Raises:
        InputError: a name that is nearly one of ours, or that could mean two things.
    """
    known = _array_names().get(simplify(name))
    if known is not None:
        return known
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)
    pairs = [("".join(words[:cut]), "".join(words[cut:])) for cut in range(1, len(words))]
    pairs += [(kind, split) for split, kind in pairs]
    allowed = "train_images, train_labels, train_groups, and so for val and test"
    for split, kind in pairs:
        meant, what = SPLITS.meaning(split) or SPLITS.nearest(split), ARRAYS.meaning(kind)
        if what and SPLITS.is_near(split) and meant is None:
            raise SPLITS.refuse(split, f"{file}, array {quote(name, 40)}")
        what = what or ARRAYS.nearest(kind)
        if meant and what:
            raise InputError(
                f"{file}: unknown array {quote(name, 40)}; did you mean '{meant}_{what}'? "
                f"({allowed})"
            )
    alone = ARRAYS.meaning(name) or ARRAYS.nearest(name)
    if alone:
        raise InputError(
            f"{file}: unknown array {quote(name, 40)}; did you mean 'train_{alone}'? ({allowed})"
        )
    last = ARRAYS.meaning(words[-1]) if words else None
    if last and len(words) > 1:
        raise InputError(
            f"{file}: unknown array {quote(name, 40)}: {last} of no split that is known; rename it "
            f"or take it out ({allowed})"
        )
    return "", ""
