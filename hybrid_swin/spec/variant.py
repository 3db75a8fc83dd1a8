"""A variant: one network as data. Frozen, validated, hashable, written as YAML."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from hybrid_swin.errors import InputError
from hybrid_swin.spec.block_words import (
    MOST_REGISTERS,
    REGISTERS,
    BlockWord,
    parse,
    with_registers,
)
from hybrid_swin.spec.branch_shapes import check_shapes
from hybrid_swin.spec.nominal_words import lie_alike, window_on_map, word_on_map
from hybrid_swin.spec.own_windows import with_own_windows
from hybrid_swin.spec.part_info import digest
from hybrid_swin.spec.stage import Stage, read_stage
from hybrid_swin.spec.stems import Stem, check_stem
from hybrid_swin.spec.values import (
    Range,
    check_choice,
    check_fields,
    plain_window,
    read_image_size,
    read_positive,
    read_whole,
    read_window,
)
from hybrid_swin.spec.window_rules import Grid, Window, sides_of, spell_size, window_of
from hybrid_swin.system.yaml_files import read_yaml

_MOST_MLP_RATIO = 1000  # beyond any network
MOST_STAGES = 17  # the largest image, 2**16 pixels per side, halved to one token

OPTIONAL = "merging_norm", "stem", "merging", "layer_scale", "registers"
_LAYER_SCALES = Range(0, 1)

Merging = Literal["linear", "conv", "pool"]
MergingNorm = Literal["pre", "post"]


@dataclass(frozen=True)
class Variant:
    """One network.

    Args:
        image_size: pixels, one number or (height, width).
        in_channels: image channels.
        num_classes: outputs of the head; 0 for none.
        patch_size: pixels per side of a token.
        window_size: tokens per side of an attention window, one number or (height, width).
        mlp_ratio: hidden width of a block's MLP over the block's width.
        stages: from the finest grid to the coarsest; between two, patch merging halves the grid.
        merging_norm: where patch merging normalises: ``pre``, the four tokens before their
            projection; ``post``, what comes of it, as in Swin Transformer V2. Of ``conv`` what it
            convolves and what comes of it, of ``pool`` likewise what is projected.
        stem: how pixels become tokens: ``patch``, by a projection of each patch alone; ``conv``, by
            3 x 3 convolutions of stride 2, as many as halve the map to ``patch_size``, which must
            be a power of two (of stride 1 for a patch_size of 1), with a layer norm behind each and
            a GELU between.
        merging: how the map halves between stages: ``linear``, a projection of four neighbours
            side by side, as in Swin; ``conv``, a 3 x 3 convolution of stride 2; ``pool``, a
            projection of the largest of four neighbours in each channel.
        layer_scale: what the weights start at, one per channel, that multiply what a mixer or an
            MLP adds to its residual, such as 1e-5; 0 for no such weights. Norms behind mixers and
            MLPs (a stage's ``norm: post``) then start at 1, since these weights do their work.
        registers: learned tokens that every window of `w_msa`, `sw_msa`, `grid` and `overlap`
            attends to beside its own, for each block: their option of that name, where a block
            word does not give it. Other blocks have none.

    Raises:
        InputError: a value that no network can have, named with its place and what is allowed.

    Source: Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021,
    https://arxiv.org/abs/2103.14030
    """

    image_size: tuple[int, int] = (224, 224)
    in_channels: int = 3
    num_classes: int = 1000
    patch_size: int = 4
    window_size: Window = 7
    mlp_ratio: float = 4.0
    stages: tuple[Stage, ...] = field(default=())
    merging_norm: MergingNorm = "pre"
    stem: Stem = "patch"
    merging: Merging = "linear"
    layer_scale: float = 0.0
    registers: int = 0

    def __post_init__(self) -> None:
        _freeze(self, "image_size", read_image_size(self.image_size))
        for name, least in (("in_channels", 1), ("num_classes", 0), ("patch_size", 1)):
            _freeze(self, name, read_whole(getattr(self, name), least, name))
        _freeze(self, "window_size", read_window(self.window_size, "window_size"))
        _freeze(self, "mlp_ratio", read_positive(self.mlp_ratio, _MOST_MLP_RATIO, "mlp_ratio"))
        _freeze(self, "stages", _stages(self.stages))
        check_choice(self.merging_norm, get_args(MergingNorm), "merging_norm")
        _freeze(self, "layer_scale", _LAYER_SCALES.read("layer_scale", self.layer_scale))
        check_choice(self.merging, get_args(Merging), "merging")
        check_choice(self.stem, get_args(Stem), "stem")
        check_stem(self.stem, self.patch_size)
        _freeze(self, REGISTERS, read_whole(self.registers, 0, REGISTERS, MOST_REGISTERS))
        self._check_grids()
        for index, (stage, words) in enumerate(zip(self.stages, self._parsed, strict=True)):
            if round(stage.width * self.mlp_ratio) < 1:
                raise InputError(
                    f"stages.{index}: mlp_ratio {self.mlp_ratio:g} leaves no hidden channel of "
                    f"width {stage.width}; choose at least {1 / stage.width:.2g}"
                )
            for word in dict.fromkeys(words):
                check_shapes(word, stage.width, stage.num_heads, f"stages.{index}")

    def _check_grids(self) -> None:
        if max(self.image_size) < self.patch_size:
            raise InputError(
                f"image_size {spell_size(self.image_size)} is smaller than patch_size "
                f"{self.patch_size}; choose a patch_size of at most "
                f"{max(self.image_size)}"
            )
        for index in range(1, len(self.stages)):
            if max(self.grids[index - 1]) < 2:
                raise InputError(
                    f"stages.{index}: image_size {spell_size(self.image_size)} with patch_size "
                    f"{self.patch_size} is down to one token after {index} stages, so there is "
                    "nothing left to merge; use fewer stages, a smaller patch_size or larger images"
                )

    @cached_property
    def grids(self) -> tuple[tuple[int, int], ...]:
        """Tokens (height, width) of each stage; sizes that do not divide are rounded up."""
        return self.grids_of(self.image_size)

    def grids_of(self, image: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """The same for images of another size, (height, width) in pixels."""
        height, width = (-(-side // self.patch_size) for side in image)
        grids = [(height, width)]
        for _ in self.stages[1:]:
            height, width = -(-height // 2), -(-width // 2)
            grids.append((height, width))
        return tuple(grids)

    @cached_property
    def window_sizes(self) -> tuple[Window, ...]:
        """The windows of each stage, in tokens."""
        return tuple(stage.window_size or self.window_size for stage in self.stages)

    @cached_property
    def _parsed(self) -> tuple[tuple[BlockWord, ...], ...]:
        return tuple(tuple(parse(w) for w in stage.words()) for stage in self.stages)

    @cached_property
    def block_words(self) -> tuple[tuple[BlockWord, ...], ...]:
        """The canonical word of every block by stage, as it is built.

        A shift stays where one window covers the nominal map: on a larger one there is something
        to shift.
        """
        return tuple(
            tuple(with_registers(word, self.registers).canonical() for word in words)
            for words in self._parsed
        )

    @cached_property
    def _nominal(self) -> tuple[tuple[tuple[BlockWord, ...], Window | None], ...]:
        """The words and the window of each stage by which networks differ on the nominal maps."""
        stages = []
        for index, (words, stage) in enumerate(zip(self.block_words, self.stages, strict=True)):
            grid, window = self.grids[index], self.window_sizes[index]
            words = with_own_windows(words, window)
            laid = window_on_map(words, grid, window)
            sizes = grid, window if laid is None else laid, stage.num_heads
            stages.append((tuple(word_on_map(word, *sizes) for word in words), laid))
        return tuple(stages)

    @cached_property
    def id(self) -> str:
        """Ten hex digits of the canonical form.

        Networks that are equal on images of the nominal size have equal ids, however spelt: options
        and windows that change nothing there do not count. A part of the id though they may change
        nothing are: options of plug-ins, and windows of stages that have one; ``num_heads`` of
        blocks without heads; ``mlp_ratio``, ``ratio`` and ``reduction``, also beside one that gives
        the same widths; ``width`` of ``stripes`` that have rows alone;
        ``mask_padding`` where the mask of shifted windows hides padding too; ``small_map=square``
        where a window of the branch's own would be the same; and names of branches
        of `cross` and plug-ins by which their order changes.
        """
        plugins: dict[str, str] = {}
        for words, _ in self._nominal:
            for word in words:
                plugins |= word.plugin_hashes()
        common = self._common_window()
        canonical = self.to_dict() | {
            "window_size": plain_window(common),
            "stages": [self._canonical_stage(i, common) for i in range(len(self.stages))],
            "plugins": dict(sorted(plugins.items())),
        }
        canonical.pop(REGISTERS, None)  # the words say it
        if len(self.stages) == 1:  # nothing is merged
            for name in ("merging_norm", "merging"):
                canonical.pop(name, None)
        return digest(json.dumps(canonical, sort_keys=True).encode())

    def _common_window(self) -> Window:
        """That of the most stages, as windows lie on the nominal maps; of several the largest."""
        laid = {sides_of(window) for _, window in self._nominal if window is not None}

        def rank(window: Grid) -> tuple[int, int, Grid]:
            alike = sum(self._lies_as(i, window_of(window)) for i in range(len(self.stages)))
            return alike, window[0] * window[1], window

        return window_of(max(laid, key=rank)) if laid else Variant.window_size

    def _lies_as(self, index: int, other: Window) -> bool:
        """Whether a window would be just a stage's on its nominal map."""
        words, window = self._nominal[index]
        return window is None or lie_alike(words, self.grids[index], window, other)

    def _canonical_stage(self, index: int, common: Window) -> dict[str, Any]:
        stage, (words, window) = self.stages[index], self._nominal[index]
        fields = {
            "width": stage.width,
            "num_heads": stage.num_heads,
            "blocks": [str(word) for word in words],
        }
        if window is not None and not self._lies_as(index, common):
            fields["window_size"] = plain_window(window)
        if stage.norm == "post" or any(stage.norms_branches(word) for word in words):
            fields["norm"] = stage.norm
        return fields

    @cached_property
    def blocks_name(self) -> str:
        """The user's block words: once where all stages agree, else by stage."""
        cycles = [" ".join(stage.blocks) for stage in self.stages]
        return cycles[0] if len(set(cycles)) == 1 else " | ".join(cycles)

    @cached_property
    def name(self) -> str:
        """Readable ASCII name: block words, depth x width and specials of each stage, and others.

        Others are fields that have another value than their default; but ``merging_norm``, which
        goes with Swin V2's words.
        """
        stages = "-".join(stage.name for stage in self.stages)
        others = (f"{n}={v}" for n, v in self._optional_fields().items() if n != "merging_norm")
        return " ".join((self.blocks_name, stages, *others))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dicts, as they stand in YAML.

        Fields that came later than the first variants are left out at their default, so that texts
        and ids stay as they were.
        """
        height, width = self.image_size
        return {
            "image_size": height if height == width else [height, width],
            "in_channels": self.in_channels,
            "num_classes": self.num_classes,
            "patch_size": self.patch_size,
            "window_size": plain_window(self.window_size),
            "mlp_ratio": self.mlp_ratio,
            **self._optional_fields(),
            "stages": [stage.to_dict() for stage in self.stages],
        }

    def _optional_fields(self) -> dict[str, Any]:
        """Those that are not at their default."""
        values = {name: getattr(self, name) for name in OPTIONAL}
        return {name: v for name, v in values.items() if v != getattr(Variant, name)}

    def to_yaml(self) -> str:
        """The variant as YAML text that ``from_yaml`` reads back."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Variant":
        """Read what ``to_dict`` gives. Unknown fields are refused with the nearest known one."""
        if not isinstance(data, Mapping):
            raise InputError(f"a variant is a mapping with 'stages'; got {data!r}")
        check_fields(data, cls, "field of a variant")
        return cls(**data)

    @classmethod
    def from_yaml(cls, path: str | Path) -> "Variant":
        """Read a variant's file. Raises InputError that names the file."""
        file = f"variant file {str(path)!r}"
        data = read_yaml(path, file)
        try:
            return cls.from_dict(data)
        except InputError as error:
            raise InputError(f"{file}: {error}") from error


def check_num_stages(stages: Any) -> None:
    """Raise InputError for more stages than any image can have, before it costs to read them."""
    if isinstance(stages, list | tuple) and len(stages) > MOST_STAGES:
        raise InputError(
            f"stages lists {len(stages):,} stages; give at most {MOST_STAGES}, since each halves "
            "the map of the one before"
        )


def _stages(value: Any) -> tuple[Stage, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise InputError(f"stages must be a list with at least one stage; got {value!r}")
    check_num_stages(value)
    return tuple(read_stage(item, f"stages.{i}") for i, item in enumerate(value))


def _freeze(instance: Any, name: str, value: Any) -> None:
    object.__setattr__(instance, name, value)
