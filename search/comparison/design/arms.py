"""What arms are made of: block words for every stage, and the arms that tell causes apart."""

from collections.abc import Sequence
from typing import Any

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.spec.block_words import parse
from search.settings.comparison import ArmSettings

SIZE = "size"  # the cause that a `pointwise` branch of equal cost shows
_ADDED = ("mdta", "mdta(attention=false)", "mdta(depthwise=false)", "conv", "pointwise")


def default_arms() -> tuple[ArmSettings, ...]:
    """The network, and beside its mixers mdta and conv with what isolates why they help.

    `+mdta` loses its attention in one control and its hidden depthwise convolution in another;
    `+pointwise` has a branch that mixes nothing.
    """
    whole, convolution, attention, conv, size = _ADDED
    return (
        ArmSettings(),
        ArmSettings(
            add=whole,
            controls={
                "channel attention": f"+{convolution}",
                "depthwise convolution": f"+{attention}",
                SIZE: f"+{size}",
            },
        ),
        ArmSettings(add=convolution, controls={SIZE: f"+{size}"}),
        ArmSettings(add=attention, controls={SIZE: f"+{size}"}),
        ArmSettings(add=conv, controls={SIZE: f"+{size}"}),
        ArmSettings(add=size),
    )


def check_arms(arms: Sequence[ArmSettings], baseline: str) -> str:
    """The baseline's label. Raises InputError for arms that cannot be compared."""
    names = [arm.name for arm in arms]
    if len(arms) < 2:
        for arm in arms:  # a misspelt word is the fault that the user can see
            for word in [*filter(None, [arm.add.partition(":")[0]]), *arm.blocks]:
                parse(word)
        raise InputError(f"a comparison needs at least two arms; got {names or 'none'}")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two arms are called {name!r}; give one of them another label")
    for index, arm in enumerate(arms):
        if arm.add and arm.blocks:
            raise InputError(
                f"arms.{index} ({arm.name}) has add and blocks; add puts branches beside the "
                "network's mixers, blocks replaces them: give one"
            )
        for cause, control in arm.controls.items():
            if control not in names:
                raise unknown(f"control for {cause!r} of arm {arm.name!r}", control, names)
            if control == arm.name:
                raise InputError(f"arm {arm.name!r} is its own control for {cause!r}")
    if baseline and baseline not in names:
        raise unknown("baseline", baseline, names)
    return baseline or names[0]


def words_with(
    words: Sequence[str], add: str, fusion: str | None, where: str = "add"
) -> tuple[str, ...]:
    """Block words with branches put beside their own.

    Args:
        words: of a stage.
        add: branches joined by ``+``, and after ``:`` the fusion, where it has one of its own.
        fusion: the fusion otherwise; none for the default one.
        where: for messages.

    Raises:
        InputError: a word that joins several branches already by a fusion of its own.
    """
    branches, _, own = add.partition(":")
    joined = []
    for word in words:
        if ":" in word:
            raise InputError(
                f"{where}: {word!r} has a fusion already, so {add!r} cannot be put beside it; "
                "write the arm's blocks in full"
            )
        fused = own or fusion
        joined.append(f"{word}+{branches}" + (f":{fused}" if fused else ""))
    for word in joined:
        parse(word)
    return tuple(joined)


def stages_of(level: Any, count: int) -> tuple[int, ...]:
    """The stages that a level of the factor `stages` means. Raises InputError for others."""
    if level == "all":
        return tuple(range(count))
    listed = level if isinstance(level, list | tuple) else [level]
    for stage in listed:
        if not isinstance(stage, int) or isinstance(stage, bool) or not 0 <= stage < count:
            raise InputError(
                f"factors.stages: {level!r} is not a choice of stages; give all, or a list of "
                f"numbers from 0 to {count - 1}"
            )
    return tuple(listed)
