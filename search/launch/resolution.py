"""What so many seeds and test images can show, said before anything is trained."""

from typing import Any

from hybrid_swin.system.console import Console
from hybrid_swin.training.metric_facts import facts_of
from search.statistics.power import detectable_difference
from search.statistics.wilson import wilson

# Of a quiet and a noisy case, over what is usual:
_SPREADS = (0.005, 0.02)  # standard deviations of a difference between seeds, as shares of 1
_CHANGED = (0.02, 0.1)  # shares of the test images on which two arms disagree
_LEVEL = 0.05
_ACCURACIES = (0.8, 0.95, 0.99)  # of which it is said how well the test images tell them
_Z = 1.96


def print_resolution(
    seeds: int,
    setting: str,
    test_images: int | None,
    console: Console,
    questions: int = 1,
    *,
    monitor: str = "val/accuracy",
    level: float = _LEVEL,
    grouped: bool = False,
) -> dict[str, Any]:
    """Print the smallest difference that these paired seeds, set by ``setting``, can show.

    Of a share of images; what seeds and images tell of another metric depends on the networks.
    ``test_images`` are independent of each other (groups, if ``grouped``); None if that is not
    known. The first step of Holm's ``level``, which is of all tests together at the look that these
    seeds come to, is for one of the ``questions`` asked at once.

    Returns:
        The same for programs: differences are shares of 1, and None if none can be shown.
    """
    content: dict[str, Any] = {
        "monitor": monitor,
        "seeds": seeds,
        "test_images": test_images,
        "grouped": grouped,
        "questions": questions,
        "level": level,
        "found_if_quiet": None,
        "found_if_noisy": None,
    }
    if seeds < 2:
        console.print(
            "seeds      one seed gives no interval, so no difference can be shown; give "
            f"--{setting} at least 3, better 5 to 10",
            highlight=False,
        )
        return content
    facts = facts_of(monitor)
    if facts is None or not facts.per_image:
        console.print(
            f"seeds      {seeds} seeds; how small a difference they show is not known beforehand: "
            f"{monitor} is not a share of images, and tests of it are over seeds alone, on these "
            "test images",
            highlight=False,
        )
        return content
    unit = "groups of test images" if grouped else "test images"
    text = resolution_text(seeds, test_images, questions, level=level, unit=unit)
    console.print(f"seeds      {text}", highlight=False)
    if test_images:
        spans = (wilson(share, _Z**2 / test_images) for share in _ACCURACIES)
        intervals = ", ".join(
            f"{100 * share:g}% [{100 * low:.1f}, {100 * high:.1f}]"
            for share, (low, high) in zip(_ACCURACIES, spans, strict=True)
        )
        console.print(
            f"test       however many seeds, {test_images:,} {unit} leave an accuracy this 95% "
            f"interval: {intervals}",
            highlight=False,
        )
    smallest = _differences(seeds, test_images, questions, level)
    names = ("found_if_quiet", "found_if_noisy")
    return content | {name: d if d < 1 else None for name, d in zip(names, smallest, strict=True)}


def resolution_text(
    seeds: int,
    images: int | None,
    questions: int = 1,
    *,
    level: float = _LEVEL,
    unit: str = "test images",
) -> str:
    """The true difference that is found four times in five, in a quiet case and a noisy one.

    Args:
        seeds: paired ones.
        images: how many test images or groups are independent; None if unknown.
        questions: differences tested at once: the first step of Holm's level is for one of them.
        level: of all tests together, at the look that these seeds come to.
        unit: what ``images`` counts.
    """
    quiet, noisy = _differences(seeds, images, questions, level)
    what = f"{seeds} seeds{f' and {images:,} {unit}' if images else ''}"
    if quiet >= 1:
        return f"{what} can show no difference, however large: more {unit} are needed"
    seen = (f", {changed:.0%} of the {unit} judged differently" for changed in _CHANGED)
    low, high = (
        f"({100 * spread:g} points between seeds{text if images else ''})"
        for spread, text in zip(_SPREADS, seen, strict=True)
    )
    largest = "none at all" if noisy >= 1 else f"one of {100 * noisy:.1f} points"
    together = f"; {questions} differences are tested together" if questions > 1 else ""
    if level < _LEVEL:
        together += f"; tested at {level:.2%} at this planned look"
    return (
        f"{what} find a true difference of {100 * quiet:.1f} points four times in five if noise is "
        f"low {low}, and {largest} if it is high {high}{together}"
    )


def _differences(
    seeds: int, images: int | None, questions: int, level: float
) -> tuple[float, float]:
    """The least true difference that is found, in a quiet case and a noisy one; 1 or more: none."""
    first_step = level / max(1, questions)
    quiet, noisy = (
        detectable_difference(seeds, images or 0, spread, changed**0.5, first_step)
        for spread, changed in zip(_SPREADS, _CHANGED if images else (0.0, 0.0), strict=True)
    )
    return quiet, noisy
