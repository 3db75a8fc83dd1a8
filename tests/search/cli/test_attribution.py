import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from hybrid_swin.errors import InputError
from hybrid_swin.system.console import Console
from search.cli.main import main
from search.comparison.attribution.figures import draw_effects, save_svg
from search.comparison.attribution.model import NEW_CANDIDATES, ONE_SEED, attribute
from search.comparison.attribution.tables import render, sentences, to_csv, to_markdown
from search.comparison.attribution.trial import Trial, Trials
from search.comparison.attribution.trials import read_trials
from search.records.runs import iter_runs
from search.statistics.formatting import points

WORDS = ("w_msa", "w_msa+mdta", "conv(kernel=7)+w_msa:gate")
RANDOM = {"sampler": {"name": "random"}, "rungs": {"first": 0}}


def variant(*words):
    return {"stages": [{"width": 32, "depth": 1, "blocks": [word]} for word in words]}


@pytest.fixture
def random_study(make_study):
    return lambda *given, **settings: fill(make_study("study", **{**RANDOM, **settings}), *given)


def fill(study, count=45):
    for number in range(count):
        a, b = study.rng.integers(0, 3, 2)
        score = 0.9 + (0.0, 0.05, -0.05)[a] + study.rng.normal(0, 0.005)
        params = {
            "stages.0.blocks": WORDS[a],
            "stages.1.blocks": WORDS[b],
            "recipe.learning_rate": float(study.rng.choice([0.001, 0.01])),
        }
        study.trial(number, score, variant=variant(WORDS[a], WORDS[b]), params=params)
    return study


def test_the_command_prints_and_writes(random_study, tmp_path, capsys):
    study, out = random_study(), str(tmp_path / "out")
    assert main(["attribution", str(study.folder), "--interactions", "--out", out]) == 0
    assert "w_msa+mdta helps" in capsys.readouterr().out.replace("\n", " ")
    told = json.loads((tmp_path / "out" / "attribution.json").read_text())
    assert told["covariates"] == ["recipe.learning_rate"]
    assert {e["word"][0] for e in told["effects"]} == set(WORDS)
    assert len(told["interactions"]) == 9
    lines = (tmp_path / "out" / "attribution.csv").read_text().splitlines()
    assert len(lines) == 1 + 6 + 9
    assert "w\\_msa+mdta" in (tmp_path / "out" / "attribution.md").read_text()
    assert "</svg>" in (tmp_path / "out" / "attribution.svg").read_text()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"sampler": {"name": "tpe"}}, "sampler 'tpe' draws more where scores were good"),
        ({"rungs": {"first": 5}}, r"rungs.first 5"),
        ({"sampler": {}}, "sampler 'auto'"),  # the default
    ],
)
def test_biased_trials_are_refused(random_study, settings, why):
    study = random_study(20, **settings)
    with pytest.raises(InputError, match=why) as caught:
        read_trials(study.folder)
    assert "--sampler.name random --rungs.first 0" in str(caught.value)


def test_what_its_intervals_do_not_cover_is_said(random_study):
    text = " ".join(sentences(attribute(read_trials(random_study().folder))))
    assert "All trials share one seed and one set of validation images" in text
    trials = [
        Trial((word,), 0.9 + 0.01 * seed + 0.1 * place, word, seed)
        for place, word in enumerate(WORDS)
        for seed in range(3)
    ]
    found = attribute(Trials("s", "val/accuracy", "max", tuple(trials), 9))
    assert "intervals speak of new seeds on these images only" in " ".join(sentences(found))


def test_known_validation_answers_make_a_random_study_speak_of_new_images(random_study):
    study = random_study()
    study.validate(run for run in iter_runs(study.folder) if run[0].kind == "trial")
    told = attribute(read_trials(study.folder))
    assert told.method == "HC3, 45 trials x 300 validation images"
    assert told.notes[-1] == NEW_CANDIDATES
    (study.folder / "trials" / "0003" / "validation.npz").unlink()
    told = attribute(read_trials(study.folder))
    assert (told.method, told.notes[-1]) == ("HC3, 45 trials", ONE_SEED)
    assert "trials/0003/validation.npz cannot be read: effects speak of " in told.notes[0]
    for file in study.folder.rglob("validation.npz"):  # as in studies of the first versions
        file.unlink()
    assert "is not known of every trial (validation.npz" in read_trials(study.folder).notes[0]


def test_a_candidate_that_was_trained_twice_with_one_seed_is_one_trial(random_study):
    study = random_study(20)
    study.trial(20, 0.9, variant=variant(*WORDS[:2]), candidate_id="c0003")
    assert len(read_trials(study.folder).trials) == 20


def test_stopped_and_failed_trials_are_missing_and_said_to_be(random_study):
    study = random_study(20, budget={"macs": "2M"})
    study.trial(20, None, state="failed", error="out of memory", variant=variant(*WORDS[:2]))
    study.trial(21, None, state="diverged", variant=variant(*WORDS[:2]))
    study.trial(22, None, ended=False, variant=variant(*WORDS[:2]))
    read = read_trials(study.folder)
    assert (len(read.trials), read.total) == (20, 23)
    assert "3 of 23 trainings are missing (1 failed, 1 diverged, 1 not ended)" in read.notes[0]
    assert "budget" in read.notes[1]


@pytest.mark.parametrize(
    ("budget", "note"),
    [
        ({"parameters": None, "macs": None, "mode": "limit", "tolerance": 0.02}, None),
        ({"parameters": None, "macs": "2M", "mode": "limit"}, "A budget refused"),
        ({"macs": "2M", "mode": "match"}, "made to cost the same"),
    ],
)
def test_only_a_budget_that_was_given_is_told_of(random_study, budget, note):
    notes = read_trials(random_study(20, budget=budget).folder).notes
    assert len(notes) == bool(note) + 1
    assert note is None or note in notes[0]
    assert "Which validation images were right is not known" in notes[-1]  # made without files


def test_a_random_studys_finalists_and_baselines_are_left_out(random_study):
    study = random_study(20)
    study.baseline(0, 0.5, variant=variant(*WORDS[:2]))
    study.finalist("best", [0.99, 0.99], variant=variant(*WORDS[:2]))
    assert len(read_trials(study.folder).trials) == 20


def test_a_studys_trials_are_not_matched(random_study):
    with pytest.raises(InputError, match=r"--match 'macs': only .* a comparison .* leave --match"):
        read_trials(random_study(5).folder, "macs")


def told(spread=0.01, interactions=False, monitor="val/accuracy", mode="max"):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(90):
        a, b = rng.integers(0, 3, 2)
        score = 0.5 + (0.0, 0.05, -0.05)[a] * (spread < 1) + rng.normal(0, spread)
        rows.append(Trial((WORDS[a], WORDS[b]), score, f"c{i}"))
    return attribute(Trials("s", monitor, mode, tuple(rows), 90), interactions)


def test_sentences_say_no_more_than_the_table():
    said = sentences(told())
    assert said[0].startswith("stage 0: w_msa+mdta helps, +")
    assert said[1].startswith("stage 0: conv(kernel=7)+w_msa:gate hurts, -")
    assert len([s for s in said if "helps" in s or "hurts" in s]) == 2
    less_is_better = sentences(told(monitor="val/loss", mode="min"))
    assert less_is_better[0].startswith("stage 0: conv(kernel=7)+w_msa:gate helps, -0.0")
    nothing = sentences(told(spread=1.0, interactions=True))
    assert nothing[0].startswith("No block is shown")
    assert "cannot be excluded" in nothing[0]
    assert "No interaction of two stages is shown." in nothing
    assert nothing[2].startswith("The mean of stage 0 is over what was tried there")
    assert f": {'; '.join(sorted(WORDS))}. Other blocks" in nothing[2]


def test_what_cannot_be_excluded_is_the_farthest_end():
    """Not half of the interval: that is around zero only where the estimate is zero."""
    found = told(spread=1.0)
    effects = [replace(found.effects[0], low=-0.018, high=0.002, holm_p=0.2)]
    effects.append(replace(found.effects[1], low=-0.005, high=0.012, holm_p=0.6))
    said = sentences(replace(found, effects=tuple(effects)))
    assert "effects of up to about 1.8 points cannot be excluded" in said[0]


def test_a_mean_over_other_stages_is_claimed_where_it_is_one():
    claim = "An effect is a mean over what stood in the other stages as tried here."
    found = told()
    assert found.whole
    assert claim in sentences(found)
    assert claim not in sentences(replace(found, whole=False))
    assert claim not in sentences(replace(found, effects=found.effects[:3]))  # one stage alone


def test_tables_hold_every_effect():
    found = told(interactions=True)
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(render(found))
    text = console.export_text()
    assert text.count("stage 0 x stage 1") == 9
    assert text.count("not shown") >= 3 + 9 - 2
    assert to_csv(found).count("\n") == 1 + 6 + 9
    table = [line for line in to_markdown(found).splitlines() if line.startswith("|")]
    assert len(table) == 2 + 6 + 2 + 9


def test_the_heat_map_marks_what_is_not_shown(tmp_path):
    found = told(interactions=True)
    figure = Figure()
    draw_effects(found, figure)
    main, pair = figure.axes
    hatched = [patch for patch in main.patches if patch.get_hatch()]
    assert len(hatched) == sum(not effect.is_shown for effect in found.effects) > 0
    texts = {text.get_text() for text in main.texts}
    for effect in found.effects:
        assert (
            f"[{points(effect.low, 'val/accuracy')}, {points(effect.high, 'val/accuracy')}]"
            in texts
        )
    assert len(pair.texts) == 18
    save_svg(found, tmp_path / "a.svg")
    save_svg(found, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_no_study_there(tmp_path, capsys):
    assert main(["attribution", str(tmp_path)]) == 2
    assert re.search(r"is .* the folder of a study", capsys.readouterr().err)
