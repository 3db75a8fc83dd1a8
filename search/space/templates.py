"""A word with gaps, which other values of the space fill: ``conv(kernel={kernel}):{fusion}``.

::

    {word: "conv(kernel={kernel})+w_msa:{fusion}", kernel: {choose: [3, 5]}, fusion: sum}

A gap is filled from the key of its name beside ``word``; ``{mixer}`` may hold whole branches.
Likewise ``one_cycle(pct_start={share})``, and the other words of a recipe.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hybrid_swin.errors import InputError, quote
from hybrid_swin.spec.block_words import check_length, without_idle_fusion
from hybrid_swin.spec.options import spell

_GAP = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PLACE = re.compile(r"(.*\.)?blocks(\.[0-9]+)?")
_OF_RECIPES = re.compile(r"recipe\.(optimizer|schedule|augmentations\.[0-9]+)")


@dataclass(frozen=True)
class Template:
    """A word with gaps, in the place of a block word or of a word of the recipe.

    Raises:
        InputError: no text, braces that are not a gap, or a place where no such word stands.
    """

    path: str
    text: str

    def __post_init__(self) -> None:
        if not _PLACE.fullmatch(self.path) and not _OF_RECIPES.fullmatch(self.path):
            raise InputError(
                f"{self.path}: a word with gaps stands for a block word, below blocks, or for an "
                "optimizer, schedule or augmentation of the recipe; here give a value"
            )
        if not isinstance(self.text, str):
            raise InputError(f"{self.path}.word must be text with gaps; got {self.text!r}")
        check_length(self.text, f"{self.path}.word")
        stray = re.search(r"[{}].*", _GAP.sub("", self.text))
        if stray:
            raise InputError(
                f"{self.path}.word: {stray[0]!r} in {self.text!r} is not a gap; write {{name}}, a "
                "name of letters, digits and underscores"
            )

    @cached_property
    def gaps(self) -> tuple[str, ...]:
        """Names of the gaps."""
        return tuple(dict.fromkeys(_GAP.findall(self.text)))

    def fill(self, values: Mapping[str, Any]) -> str:
        """The word of these values, less a fusion that stands behind a single branch.

        Raises InputError for a gap without a value, a value without a gap or one that is not text,
        number or truth, or a fusion that does not exist.
        """
        for name in self.gaps:
            if name not in values:
                raise InputError(
                    f"{self.path}: {self.text!r} has a gap {{{name}}} and no value for it; give "
                    f"{name}: beside word:" + self._given(values)
                )
        for name, value in values.items():
            if name not in self.gaps:
                raise InputError(
                    f"{self.path}.{name}: {self.text!r} has no gap {{{name}}}, so nothing would "
                    f"change with it; its gaps: {', '.join(self.gaps) or 'none'}"
                )
            if not isinstance(value, str | int | float):
                raise InputError(
                    f"{self.path}.{name}: {value!r} is not a piece of a word; give text, a number, "
                    "true or false, or {choose: [...]} of them"
                )
        word = _GAP.sub(lambda gap: spell(values[gap[1]]), self.text)
        try:
            if _OF_RECIPES.fullmatch(self.path):
                return word
            check_length(word, "block word")
            return without_idle_fusion(word)
        except InputError as error:
            raise InputError(f"{self.path}: {quote(word)}: {error}") from None

    def _given(self, values: Mapping[str, Any]) -> str:
        unused = [name for name in values if name not in self.gaps]
        return f" (given without a gap: {', '.join(unused)})" if unused else ""
