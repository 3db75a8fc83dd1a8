"""Effects of factors: averages over a factorial design, against sums made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from search.comparison.report.effects import effects_answer, effects_conclusions, effects_table
from search.settings.comparison import ArmSettings
from search.statistics.intervals import crossed_difference
from tests.search.comparison.comparison_factory import Made, settings

LONG = {"recipe.weight_decay": [0.05, 0.2], "mlp_ratio": [2.0, 3.0]}


class Factorial(Made):
    """Arms whose skill depends on the cell as well."""

    def skill(self, entry):
        decay, ratio = entry.cell.levels.values()
        gains = 1.8 * (decay == 0.2) + 0.3 * (ratio == 3.0)
        return self.skills[entry.arm] * (0.2 if decay == 0.2 else 1.0) + gains

    def fill(self):
        self.right = {}
        for entry in self.plan.entries:
            for rate in range(len(entry.recipes)):
                for spec in self.plan.selections(entry, rate):
                    self.write(spec, 0.8 + 0.01 * rate)
            for spec in self.finals(entry):
                accuracy = self.predict(spec, self.skill(entry))
                self.write(spec, accuracy, test={"test/accuracy": accuracy})
        return self


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("factorial") / "made"
    return Factorial(folder, settings(factors=LONG), noise=0.02).fill()


@pytest.fixture(scope="module")
def comparison(made):
    return made.read()


def matrix(made, decay, ratio, arm):
    """Which images a cell got right, (seeds, images)."""
    entry = next(
        e
        for e in made.plan.entries
        if tuple(e.cell.levels.values()) == (decay, ratio) and e.arm == arm
    )
    rows = []
    for spec in made.finals(entry):
        with np.load(made.folder / spec.key / "predictions.npz") as kept:
            rows.append(kept["logits"].argmax(1) == kept["labels"])
    return np.array(rows, dtype=float)


def effect(comparison, question, *texts):
    (found,) = (
        e
        for e in comparison.effects
        if e.question == question and tuple(c.text for c in e.changes) == texts
    )
    return found


ARMS = ("base", "+mdta", "+mdta(attention=false)")


def test_one_change_is_the_mean_over_all_other_cells(made, comparison):
    found = effect(comparison, "alone", "weight_decay=0.2").versus
    after, before = (
        np.mean([matrix(made, d, r, a) for r in (2.0, 3.0) for a in ARMS], axis=0)
        for d in (0.2, 0.05)
    )
    slow = crossed_difference(after, before)
    assert found.difference == pytest.approx(slow.mean)
    assert found.p_value == pytest.approx(slow.p_value)
    assert found.low < slow.low < slow.high < found.high  # simultaneous
    assert found.covers == "seeds and images"


def test_an_interaction_is_a_difference_of_differences(made, comparison):
    found = effect(comparison, "interaction", "weight_decay=0.2", "+mdta").versus
    gain = {
        d: np.mean([matrix(made, d, r, "+mdta") - matrix(made, d, r, "base") for r in (2.0, 3.0)])
        for d in (0.2, 0.05)
    }
    assert found.difference == pytest.approx(gain[0.2] - gain[0.05])
    assert found.verdict == "worse"  # the gain of the block shrinks with the better recipe


def test_instead_compares_two_changes_with_each_other(made, comparison):
    found = effect(comparison, "instead", "weight_decay=0.2", "+mdta(attention=false)").versus
    recipe = np.mean([matrix(made, 0.2, r, "base") for r in (2.0, 3.0)])
    block = np.mean([matrix(made, 0.05, r, ARMS[2]) for r in (2.0, 3.0)])
    assert found.difference == pytest.approx(recipe - block)


def test_all_questions_are_one_family(comparison):
    counts = {q: sum(e.question == q for e in comparison.effects) for q in ("alone", "instead")}
    assert counts == {"alone": 4, "instead": 5}
    assert {e.versus.family for e in comparison.effects} == {4 + 5 + 5}


def test_words_name_what_is_shown_and_count_the_rest(comparison):
    (clause,) = effects_answer(comparison)
    assert clause.startswith("over all cells, weight_decay=0.2 brings +")
    sentences = list(effects_conclusions(comparison))
    assert sentences[0].startswith("One change, over all cells: ")
    assert "weight_decay=0.2 instead of weight_decay=0.05" in sentences[0]
    assert len(effects_table(comparison)) == 1 + 14
    short = replace(comparison, effects=tuple(replace(e, short=True) for e in comparison.effects))
    assert any("too few epochs" in sentence for sentence in effects_conclusions(short))
    assert all(row[-1].endswith("?") for row in effects_table(short)[1:])


def test_a_missing_training_takes_its_questions_with_it(made, tmp_path):
    other = Factorial(tmp_path / "made", settings(factors=LONG), noise=0.02).fill()
    lost = next(e for e in other.plan.entries if e.arm == "+mdta")
    other.write(other.finals(lost)[0], None, state="diverged", test=None)
    effects = other.read().effects
    assert not any("weight_decay=0.2 instead" in e.name for e in effects)  # needs every cell
    assert {e.versus.family for e in effects} == {4 + 5 + 5}  # asked all the same


def test_what_a_change_does_not_touch_does_not_dilute_it(tmp_path):
    """A fusion is nothing to the baseline, whose score is the same at both levels."""
    arms = ARMS[:2]
    gains = {"fusion": ["sum", "gate"], "recipe.weight_decay": [0.05, 0.2]}

    class Gated(Factorial):
        def skill(self, entry):
            return 2.0 * (entry.arm == "+mdta" and entry.cell.levels["fusion"] == "gate")

    plain = [ArmSettings(), ArmSettings(add="mdta")]
    read = Gated(tmp_path, settings(factors=gains, arms=tuple(plain))).fill().read()
    scores = {(r.arm, *r.levels.values()): r.test_mean for r in read.results}
    rise = np.mean([scores[arms[1], "gate", d] - scores[arms[1], "sum", d] for d in (0.05, 0.2)])
    found = effect(read, "alone", "fusion=gate")
    assert found.name == "fusion=gate instead of fusion=sum (over +mdta)"
    assert found.versus.difference == pytest.approx(rise)
    assert effect(read, "alone", "weight_decay=0.2").over == ""
    pairs = {(e.question, *(c.text for c in e.changes)) for e in read.effects}
    assert ("interaction", "fusion=gate", "+mdta") not in pairs  # it is the effect over +mdta
    assert ("instead", "fusion=gate", "+mdta") not in pairs
    both = effect(read, "interaction", "fusion=gate", "weight_decay=0.2")
    cross = [scores[arms[1], f, 0.2] - scores[arms[1], f, 0.05] for f in ("gate", "sum")]
    assert both.over == "+mdta"
    assert both.versus.difference == pytest.approx(cross[0] - cross[1])
    (clause,) = effects_answer(read)
    assert "fusion=gate (over +mdta) brings +" in clause


def test_without_factors_or_over_different_images_there_is_nothing_to_ask(tmp_path):
    assert Made(tmp_path / "plain").fill().read().effects == ()
    seeds = {"data.split_seed": [0, 1]}
    assert Made(tmp_path / "split", settings(factors=seeds)).fill().read().effects == ()
