"""How numbers and differences are written: shares in percent and points, p-values short."""

from collections.abc import Iterable

from hybrid_swin.training.metric_facts import facts_of


def is_share(monitor: str) -> bool:
    """Is this metric a share of images, to be shown in percent?"""
    facts = facts_of(monitor)
    return facts is not None and facts.in_percent


def shown_value(value: float, monitor: str) -> float:
    """A share in percent, any other score or difference as it is."""
    return 100 * value if is_share(monitor) else value


def score_text(value: float | None, monitor: str) -> str:
    """A score: 95.1 for a share (in percent), three decimals else, ``-`` for none."""
    if value is None:
        return "-"
    return format(shown_value(value, monitor), ".1f" if is_share(monitor) else ".3f")


def score_unit(monitor: str) -> str:
    """What follows a score in a sentence."""
    return "%" if is_share(monitor) else ""


def score_phrase(value: float | None, monitor: str) -> str:
    """A score in a sentence: 95.1%."""
    return score_text(value, monitor) + score_unit(monitor)


def percent(share: float) -> str:
    """A confidence or level: 95%, 98.75%, 0.75%."""
    return f"{100 * share:.4g}%"


def share_text(share: float) -> str:
    """A share of a whole: 28%, 0.2%, 100%; never 0% of one that is above 0."""
    return f"{100 * share:.{0 if share >= 0.1 or not share else 1 if share >= 0.001 else 3}f}%"


def range_text(low: float | None, high: float | None, monitor: str) -> str:
    """An interval, ``[93.2, 97.0]``; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"[{score_text(low, monitor)}, {score_text(high, monitor)}]"


def count_text(count: float | None) -> str:
    """A count in four characters or so: 812, 4.5K, 28.3M, 6.0G."""
    if count is None:
        return "-"
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if count >= 0.9995 * size:  # 999.96K would round to 1000.0K
            return f"{count / size:.1f}{unit}"
    return f"{count:.0f}"


def counted(count: int, noun: str) -> str:
    """A number of things: ``1 baseline``, ``6 baselines``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def images_text(images: int, groups: int = 0, split: str = "test") -> str:
    """What scores are shares of: ``359 test images``, ``255 groups of 984 test images``."""
    return (
        f"{groups:,} groups of {images:,} {split} images"
        if groups
        else f"{images:,} {split} images"
    )


def epochs_text(epochs: Iterable[int], stops_early: bool, images: Iterable[int] = ()) -> str:
    """How long was trained: ``5 epochs``, ``at most 40 epochs``, ``5 epochs of 2,000 images``.

    Args:
        epochs: of each recipe.
        stops_early: whether some end where validation gets no better.
        images: of an epoch, where the data set them; 0 for the whole train split.
    """
    most = "at most " * stops_early
    each = _span(images)
    of_images = f" of {each} images" * (each not in ("", "0"))
    count = _span(epochs)
    return f"{most}{count} epoch{'s' * (count != '1')}{of_images}" if count else ""


def _span(counts: Iterable[int]) -> str:
    """From the least to the largest; the number alone where all are one."""
    known = sorted(set(counts))
    return " to ".join(f"{count:,}" for count in dict.fromkeys((*known[:1], *known[-1:])))


def seconds_text(seconds: float | None) -> str:
    """A time: 8.2 s, 41 s, 12 min, 3.4 h."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def points(value: float, monitor: str, sign: bool = True) -> str:
    """A difference: +1.3 percentage points for a share, three decimals else; 0.0 has no sign."""
    form = ("+" if sign else "") + (".1f" if is_share(monitor) else ".3f")
    text = format(shown_value(value, monitor), form)
    return text.lstrip("+-") if float(text) == 0 else text


def interval_text(low: float | None, high: float | None, monitor: str) -> str:
    """An interval of a difference, ``[+0.2, +1.9]``; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"[{points(low, monitor)}, {points(high, monitor)}]"


def difference_phrase(
    difference: float, low: float | None, high: float | None, monitor: str
) -> str:
    """A difference in a sentence: ``+1.3 points [+0.2, +1.9]``; alone without an interval."""
    size = f"{points(difference, monitor)}{unit(monitor)}"
    return f"{size} {interval_text(low, high, monitor)}".rstrip()


def bound_text(value: float, monitor: str) -> str:
    """What a difference may still come to, ``up to 1.4``; never ``up to 0.0``."""
    text = points(abs(value), monitor, sign=False)
    if float(text) > 0:
        return f"up to {text}"
    return "less than 0.1" if is_share(monitor) else "less than 0.001"


def unit(monitor: str) -> str:
    """What a difference is counted in, with a blank before; empty for other metrics."""
    return " points" if is_share(monitor) else ""


def p_text(p: float | None) -> str:
    """A p-value in few characters."""
    if p is None:
        return "-"
    return "<.001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 0.9995 else "1"
