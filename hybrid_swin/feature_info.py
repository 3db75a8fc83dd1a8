"""What the maps of the stages are, in timm's manner, and which of them are taken."""

from collections.abc import Sequence
from typing import Any

from hybrid_swin.errors import InputError
from hybrid_swin.variant import Variant


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
        if isinstance(idx, int):
            return self.info[idx][key]
        return [self.info[index][key] for index in (self.out_indices if idx is None else idx)]

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
        if isinstance(idx, int):
            return _part(self.info[idx], keys)
        return [_part(self.info[i], keys) for i in (self.out_indices if idx is None else idx)]

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.info[index]

    def __len__(self) -> int:
        return len(self.info)


def _part(entry: dict[str, Any], keys: Sequence[str] | None) -> dict[str, Any]:
    return dict(entry) if keys is None else {key: entry[key] for key in keys}


def stages_taken(count: int, indices: int | Sequence[int] | None) -> list[int]:
    """Which of ``count`` stages, in their order: all; the last n; or those named.

    From the end if negative; in any order and more than once, they come once and in the order in
    which they are computed, as in timm.

    Raises:
        InputError: a stage that does not exist.
    """
    if indices is None:
        return list(range(count))
    if isinstance(indices, int):
        if not 1 <= indices <= count:
            raise InputError(f"the last {indices} stages of {count}; choose from 1 to {count}")
        return list(range(count - indices, count))
    for index in indices:
        if not -count <= index < count:
            raise InputError(
                f"stage {index} does not exist; with {count} stages choose from 0 to {count - 1}, "
                f"or from -{count} to -1 counted from the end"
            )
    if not indices:
        raise InputError("no stage is named; leave it out for all of them")
    return sorted({index % count for index in indices})
