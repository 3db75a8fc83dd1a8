"""What so many seeds and test images can show, said before anything is trained."""

from itertools import product

from hybrid_swin.system.console import Console
from hybrid_swin.training.metric_facts import facts_of
from search.statistics.power import detectable_difference
from search.statistics.wilson import wilson

_SPREADS = (0.005, 0.01, 0.02)  # standard deviations between seeds, as shares of 1
_CHANGED = (0.02, 0.1)  # shares of the test images on which two arms differ
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
) -> None:
    """Print the smallest difference that these paired seeds, set by ``setting``, can show.

    Of a share of images; what seeds and images tell of another metric depends on the networks.
    ``test_images`` are independent of each other (groups, if ``grouped``); None where that is not
    known. The first step of Holm's ``level``, which is of all tests together at the look that these
    seeds come to, is for one of the ``questions`` asked at once.
    """
    if seeds < 2:
        console.print(
            "seeds      one seed gives no interval, so no difference can be shown; give "
            f"--{setting} at least 3, better 5 to 10",
            highlight=False,
        )
        return
    facts = facts_of(monitor)
    if facts is None or not facts.per_image:
        console.print(
            f"seeds      {seeds} seeds; how small a difference they show is not known beforehand: "
            f"{monitor} is not a share of images, and tests of it are over seeds alone, on these "
            "test images",
            highlight=False,
        )
        return
    images, unit = test_images or 0, "groups of test images" if grouped else "test images"
    first_step = level / max(1, questions)
    found = {
        both: detectable_difference(seeds, images, both[0], both[1] ** 0.5, first_step)
        for both in (product(_SPREADS, _CHANGED) if images else ((s, 0.0) for s in _SPREADS))
    }
    parts = ", ".join(
        f"{'none' if least >= 1 else f'{100 * least:.1f}'} (at {100 * spread:g}"
        + (f" and {changed:.0%})" if images else ")")
        for (spread, changed), least in found.items()
    )
    among = f" among {questions} differences" if questions > 1 else ""
    among += f" at this look ({level:.2%} over all of them)" if level < _LEVEL else ""
    where = f" and the share of {unit} on which arms differ" if images else ""
    console.print(
        f"seeds      {seeds} seeds{f' and {images:,} {unit}' if images else ''} find{among}, "
        f"four times in five, a difference of at least, in points: {parts}; in brackets: the "
        f"standard deviation of paired differences between seeds{where}",
        highlight=False,
    )
    if test_images:
        spans = (wilson(share, _Z**2 / test_images) for share in _ACCURACIES)
        told = ", ".join(
            f"of {100 * share:g}% [{100 * low:.1f}, {100 * high:.1f}]"
            for share, (low, high) in zip(_ACCURACIES, spans, strict=True)
        )
        console.print(
            f"test       however many seeds, {test_images:,} {unit} tell one accuracy no better "
            f"than: {told}",
            highlight=False,
        )
