"""All arms of a comparison set against each other, as one family of differences."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from hybrid_swin.training.metric_facts import bounds_of
from search.comparison.design.plan import ComparisonPlan, is_primary
from search.comparison.results.arm_result import ArmResult
from search.comparison.results.differences import Versus, adjust, difference_of
from search.comparison.results.trained_arm import TrainedArm, images_of, result_of


def compare_arms(
    arms: Sequence[TrainedArm], plan: ComparisonPlan, level: float
) -> tuple[list[ArmResult], int]:
    """All arms with their differences, adjusted together."""
    settings = plan.settings
    sign = 1 if settings.objective.mode == "max" else -1
    bounds = bounds_of(settings.objective.monitor)
    places = {(a.entry.cell.name, a.entry.matching, a.entry.arm): a for a in arms}
    questions: list[list[tuple[str, Versus]]] = []  # of each arm
    for arm in arms:
        entry, mine = arm.entry, list[tuple[str, Versus]]()
        wanted = [("", entry.against)] if entry.against else []
        for cause, label in (*wanted, *entry.controls.items()):
            other = places[entry.cell.name, entry.matching, label]
            versus = difference_of(arm.side, other.side, cause, sign, bounds, images_of(arm, plan))
            versus = replace(versus, primary=is_primary(settings, entry, versus.against))
            mine.append((f"{entry.candidates[0]} - {other.entry.candidates[0]}", versus))
        questions.append(mine)
    adjusted, family = adjust([one for mine in questions for one in mine], level, settings.margin)
    answers = iter(adjusted)
    results = []
    for arm, mine in zip(arms, questions, strict=True):
        differences = list(islice(answers, len(mine)))
        versus_reference = next((versus for versus in differences if not versus.cause), None)
        controls = tuple(versus for versus in differences if versus.cause)
        results.append(replace(result_of(arm, plan), versus=versus_reference, controls=controls))
    return results, family


def mixtures(arms: Sequence[TrainedArm]) -> tuple[str, ...]:
    """What should be one over all runs of a cell and is not."""
    unlike = []
    for name, what in (("data_hash", "images"), ("split_hash", "splits"), ("code_hash", "code")):
        seen: dict[str, set[str]] = {}
        for arm in arms:
            place = "" if name == "code_hash" else arm.entry.cell.name
            seen.setdefault(place, set()).update(getattr(r, name) for _, r in arm.runs)
        if any(len(hashes) > 1 for hashes in seen.values()):
            unlike.append(what)
    return tuple(unlike)
