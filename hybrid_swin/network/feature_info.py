"""What the maps of the stages are, in timm's manner, and which of them are taken."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, TypeGuard

from hybrid_swin.errors import InputError, quote, unknown
from hybrid_swin.spec.variant import Variant

_WHICH = "stages are named by the number of the last ones, or a list such as (0, 2); got "


def stages_info(variant: Variant) -> list[dict[str, Any]]:
    """Channels, reduction and module of each stage's map, as timm's networks list them."""
    return [
        {"num_chs": stage.width, "reduction": variant.patch_size * 2**i, "module": f"layers.{i}"}
        for i, stage in enumerate(variant.stages)
    ]


class FeatureInfo:
    """What the maps are: number of channels, reduction, name of the module.

    Each method answers for the maps that are given; with ``idx``, for that stage or those stages.
    Length and index are those of all stages, as in timm.
    """

    def __init__(self, info: list[dict[str, Any]], out_indices: list[int]) -> None:
        self.info = [{"index": index} | entry for index, entry in enumerate(info)]
        self.out_indices = tuple(out_indices)

    def get(self, key: str, idx: int | Sequence[int] | None = None) -> Any:
        """What stands under a key, such as ``num_chs``."""
        entries = self.get_dicts([key], idx)
        return entries[key] if _is_whole(idx) else [entry[key] for entry in entries]

    def channels(self, idx: int | Sequence[int] | None = None) -> Any:
        """Channels of a map."""
        return self.get("num_chs", idx)

    def reduction(self, idx: int | Sequence[int] | None = None) -> Any:
        """Pixels of the image a side of a token."""
        return self.get("reduction", idx)

    def module_name(self, idx: int | Sequence[int] | None = None) -> Any:
        """Name of the module that a map comes from."""
        return self.get("module", idx)

    def get_dicts(
        self, keys: Sequence[str] | None = None, idx: int | Sequence[int] | None = None
    ) -> Any:
        """The entries themselves, or of each what stands under these keys."""
        if _is_whole(idx):
            return _part(self._entry(idx), keys)
        indices: Any = self.out_indices if idx is None else idx
        if isinstance(indices, str | bytes) or not isinstance(indices, Iterable):
            raise InputError(_WHICH + quote(idx))
        return [_part(self._entry(index), keys) for index in indices]

    def _entry(self, index: int) -> dict[str, Any]:
        if not _is_whole(index) or not -len(self.info) <= index < len(self.info):
            raise InputError(
                f"stage {quote(index)} does not exist; choose from 0 to {len(self.info) - 1}"
            )
        return self.info[index]

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.info[index]

    def __len__(self) -> int:
        return len(self.info)


def _part(entry: dict[str, Any], keys: Sequence[str] | None) -> dict[str, Any]:
    if keys is None:
        return dict(entry)
    if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
        raise InputError(f"keys are a list, such as ['reduction']; got {quote(keys)}")
    for key in keys:
        if key not in [*entry]:
            raise unknown("fact of a map", key, entry)
    return {key: entry[key] for key in keys}


def stages_taken(count: int, indices: int | Sequence[int] | None) -> list[int]:
    """Which of ``count`` stages, in their order: all; the last n; or those named.

    From the end if negative; in any order and more than once, they come once and in the order in
    which they are computed, as in timm. Raises InputError for a stage that does not exist.
    """
    if indices is None:
        return list(range(count))
    if _is_whole(indices):
        if not 1 <= indices <= count:
            raise InputError(f"the last {indices} stages of {count}; choose from 1 to {count}")
        return list(range(count - indices, count))
    if isinstance(indices, str | bytes) or not isinstance(indices, Iterable):
        raise InputError(_WHICH + quote(indices))
    taken = set()
    for index in indices:
        if not _is_whole(index):
            raise InputError(_WHICH + quote(indices))
        if not -count <= index < count:
            raise InputError(
                f"stage {index} does not exist; with {count} stages choose from 0 to {count - 1}, "
                f"or from -{count} to -1 counted from the end"
            )
        taken.add(index % count)
    if not taken:
        raise InputError("no stage is named; leave it out for all of them")
    return sorted(taken)


def _is_whole(value: Any) -> TypeGuard[int]:
    """Whether it is a whole number, NumPy's among them; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)
