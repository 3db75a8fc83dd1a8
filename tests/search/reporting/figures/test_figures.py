"""What stands in the pictures, read back from matplotlib's own objects and from the files."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from hybrid_swin.errors import InputError
from hybrid_swin.system.figure_files import write_figure
from hybrid_swin.system.files import write_json_atomically
from search.cli.main import main
from search.leaderboard.board import Leaderboard
from search.leaderboard.sentences import sentences
from search.reporting.figures.anytime import draw_anytime
from search.reporting.figures.curves import draw_curves
from search.reporting.figures.hypervolume import draw_volume
from search.reporting.figures.pareto import draw_tradeoff
from search.reporting.figures.study_data import StudyData
from search.reporting.figures.style import BLACK, BLUE, FINALISTS, RED
from search.reporting.figures.writing import write_study_figures
from search.statistics.intervals import score_interval


def drawn(draw, evidence):
    figure = Figure()
    assert draw(evidence, figure)
    return figure


def lines(axes, colour):
    return [line for line in axes.lines if to_hex(line.get_color()) == colour.lower()]


def said(figure):
    return " ".join(text.get_text() for text in figure.texts).replace("\n", " ")


@pytest.fixture
def searched(make_study):
    """Costs, scores and states by hand: the third trial is the best, the cheap first one second."""
    study = make_study(budget={"macs": "3K"})
    trials = [
        (0.8, 1000, "complete"),
        (0.7, 2000, "complete"),
        (0.9, 2500, "complete"),
        (0.95, 900, "stopped"),
        (None, 800, "diverged"),
    ]
    for number, (score, macs, state) in enumerate(trials):
        cost = {"macs": macs, "parameters": 10 * macs}
        cutoffs = {"5": 0.1 * number, "10": 0.5} if number else {}
        epochs = 5 if state == "stopped" else 20
        seconds = {"total": 100.0}
        about = {"cost": cost, "cutoffs": cutoffs, "epochs": epochs, "seconds": seconds}
        study.trial(number, score, state=state, **about)
    study.baseline(0, 0.6, "plain $x_1$")
    study.reference("logistic regression", 0.85)
    return study


def evidence_of(study):
    return StudyData.from_folder(study.folder)


def test_the_best_so_far_is_of_trials_to_their_end(searched):
    figure = drawn(draw_anytime, evidence_of(searched))
    by_trial, by_time = figure.axes
    (best,) = [line for line in lines(by_trial, BLUE)]
    assert list(best.get_xdata()) == [0, 2, 4]
    assert list(best.get_ydata()) == pytest.approx([80, 90, 90])
    (best,) = [line for line in lines(by_time, BLUE)]
    assert list(best.get_xdata()) == pytest.approx([100 / 60, 300 / 60, 500 / 60])
    assert "(min)" in by_time.get_xlabel()
    whole, stopped, lost = by_trial.collections
    assert len(whole.get_offsets()) == 3
    assert [tuple(p) for p in stopped.get_offsets()] == [(3, pytest.approx(95))]
    assert not len(stopped.get_facecolor())  # hollow
    assert [x for x, _ in lost.get_offsets()] == [4]
    assert [line.get_ydata()[0] for line in lines(by_trial, RED)] == [60]
    labels = [text.get_text() for text in by_time.texts]
    assert labels == ["plain $x_1$", "logistic regression"]
    assert by_trial.get_ylabel() == "validation accuracy (%)"
    assert "(90.0%) came after 3 of 5 trials; the 2 since found none better" in said(figure)


def test_a_late_best_says_that_more_may_come(make_study):
    study = make_study()
    for number in range(5):
        study.trial(number, 0.5 + 0.1 * number)
    assert "came late, 0 trials before the end of 5" in said(
        drawn(draw_anytime, evidence_of(study))
    )


def test_less_is_better(make_study):
    study = make_study(monitor="val/loss", mode="min")
    for number, score in enumerate((0.8, 0.9, 0.5)):
        study.trial(number, score)
    figure = drawn(draw_anytime, evidence_of(study))
    (best,) = lines(figure.axes[0], BLUE)
    assert list(best.get_ydata()) == [0.8, 0.5, 0.5]
    assert figure.axes[0].get_ylabel() == "validation loss"


def test_the_front_is_a_staircase_of_full_trials_and_the_budget_a_line(searched):
    searched.finalist("cand", [0.84, 0.86, 0.88], cost={"macs": 2500}, label="mdta")
    searched.finalist("base", [0.6, 0.62], cost={"macs": 700}, is_baseline=True)
    figure = drawn(draw_tradeoff, evidence_of(searched))
    macs, parameters = figure.axes
    step = next(line for line in macs.lines if line.get_drawstyle() == "steps-post")
    assert list(zip(step.get_xdata(), step.get_ydata(), strict=True))[:2] == [
        (1000, 80),
        (2500, 90),
    ]
    assert [list(line.get_xdata()) for line in macs.lines if line.get_linestyle() == "--"] == [
        [3000, 3000]
    ]
    assert not [line for line in parameters.lines if line.get_linestyle() == "--"]
    _, _, (bar,) = next(c for c in macs.containers if "mdta" in c.get_label())
    assert to_hex(bar.get_color()[0]) == FINALISTS[0].lower()
    low, high = bar.get_segments()[0][:, 1]
    over = score_interval([0.84, 0.86, 0.88], (0.0, 1.0), 225)  # images that validated
    assert (low, high) == pytest.approx((100 * over.low, 100 * over.high))
    assert high - 86 < 86 - low  # the longer side points away from 100%
    assert macs.get_ylim()[1] > high
    told = "2 of 3 trials that came to their end are on the front of score against MACs of one imag"
    assert told in said(figure)
    assert macs.get_xlabel() == "MACs of one image"


def test_the_best_has_the_interval_of_the_table_and_hidden_points_are_named(searched):
    for name, label in (("cand", "mdta"), ("twin", "conv")):
        searched.finalist(name, [0.84, 0.86, 0.88], cost={"macs": 2500}, label=label)
    searched.finalist("base", [0.6, 0.62, 0.61], cost={"macs": 700}, is_baseline=True)
    best = Leaderboard.from_folder(searched.folder).best
    assert best.interval_confidence > 0.95
    figure = drawn(draw_tradeoff, evidence_of(searched))
    containers = {c.get_label(): c for c in figure.axes[0].containers}
    _, _, (bar,) = containers[f"{best.label}, retrained"]
    ends = 100 * best.validation_low, 100 * best.validation_high
    assert tuple(bar.get_segments()[0][:, 1]) == pytest.approx(ends)
    assert f"(of the best, {best.label}, 98.33%, since it was chosen)" in said(figure)
    other = "conv" if best.label == "mdta" else "mdta"
    assert "At one place, the best mean first: " in said(figure)
    assert {best.label, other} == set(
        said(figure).partition("best mean first: ")[2].rstrip(".").split(" and ")
    )


def test_title_and_leaderboard_count_the_same_front(make_study):
    against = {"monitor": "val/accuracy", "mode": "max", "against": ["macs", "parameters"]}
    study = make_study(objective=against)
    point = {"reference_point": {"val/accuracy": 0.0, "macs": 9.0, "parameters": 9.0}}
    write_json_atomically(study.folder / "study.json", {"schema_version": 1, **point})
    for number, (score, macs, parameters) in enumerate([(0.5, 1, 3), (0.4, 2, 2), (0.3, 3, 3)]):
        study.trial(number, score, cost={"macs": macs, "parameters": parameters})
    stopped = {"cost": {"macs": 4, "parameters": 1}}
    study.trial(3, 0.1, state="stopped", **stopped)
    study.run("audits/0003", "audit", 0.7, "w_msa", origin="trials/0003", **stopped)
    figure = drawn(draw_tradeoff, evidence_of(study))
    assert (
        "2 of 4 trials that came to their end are on the front of score against MACs of one image "
        "alone (3 on that against macs and parameters)" in said(figure)
    )
    assert "others have no full score" not in said(figure)
    (note,) = Leaderboard.from_folder(study.folder).notes
    assert "Of 4 trials that came to their end 3 are on the Pareto front" in note
    (line,) = drawn(draw_volume, evidence_of(study)).axes[0].lines
    assert f"hypervolume of {line.get_ydata()[-1]:.4g}" in note


def test_rows_of_one_label_have_entries_of_their_own(searched):
    for name in ("a", "b"):
        searched.finalist(name, [0.8], variant=None, recipe=None, params={})
    (legend,) = drawn(draw_tradeoff, evidence_of(searched)).legends
    assert [text.get_text() for text in legend.get_texts()].count("w_msa, retrained") == 2


def test_other_costs_may_be_asked_for(make_study):
    study = make_study(objective={"monitor": "val/accuracy", "against": ["activations"]})
    study.trial(0, 0.5)
    (axes,) = drawn(draw_tradeoff, evidence_of(study)).axes
    assert axes.get_xlabel() == "activations of one image (numbers)"


def test_curves_rungs_and_finalists(searched):
    searched.finalist("cand", [0.84, 0.86], label="mdta")
    figure = drawn(draw_curves, evidence_of(searched))
    (axes,) = figure.axes
    stopped, whole = (c for c in axes.collections if isinstance(c, LineCollection))
    assert (len(stopped.get_segments()), len(whole.get_segments())) == (1, 3)
    assert stopped.get_linewidth()[0] < whole.get_linewidth()[0]
    rungs = [line for line in lines(axes, BLACK) if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in rungs] == [5, 10]
    marks = [line for line in lines(axes, BLACK) if line.get_marker() == "_"]
    assert [list(m.get_ydata()) for m in marks] == [pytest.approx([10, 20, 30, 40]), [50]]
    assert len(lines(axes, FINALISTS[0])) == 2
    assert "stopping 1 of 5 trials at rungs saved 15% of the search's training" in said(figure)
    assert "Last cut-offs: 40.0 at epoch 5, 50.0 at epoch 10." in said(figure)


def test_curves_and_leaderboard_count_the_same_saving(make_study):
    study = make_study(rungs={"first": 5, "factor": 2, "audit": 1})
    study.trial(0, 0.9, passes=20)
    for number in (1, 2):
        study.trial(number, 0.5, state="stopped", epochs=5, passes=5)
    study.run("audits/0001", "audit", 0.6, "w_msa", origin="trials/0001", passes=5)
    text = " ".join(sentences(Leaderboard.from_folder(study.folder)))
    told = "saved 42% of the search's training, less what the audit took"
    assert told in text
    assert told in said(drawn(draw_curves, evidence_of(study)))


@pytest.mark.parametrize("draw", [draw_tradeoff, draw_curves])
def test_finalists_of_the_same_block_words_are_told_apart(searched, draw):
    for width in (16, 32):
        params = {"stages.0.width": width, "recipe.learning_rate": 0.1 / width}
        searched.finalist(f"c{width}", [0.8], variant=None, recipe=None, params=params)
    (legend,) = drawn(draw, evidence_of(searched)).legends
    told = [text.get_text() for text in legend.get_texts()]
    assert "w_msa (width 16, learning_rate 0.00625), retrained" in told
    assert "w_msa (width 32, learning_rate 0.003125), retrained" in told


def test_one_epoch_is_a_dash_and_missing_scores_are_left_out(make_study):
    study = make_study()
    study.trial(0, 0.5, history=({"epoch": 1, "val/accuracy": 0.5},), state="stopped")
    gap = ({"epoch": 1}, {"epoch": 2, "val/accuracy": None}, {"epoch": 3, "val/accuracy": 0.4})
    study.trial(1, 0.4, history=gap)
    (axes,) = drawn(draw_curves, evidence_of(study)).axes
    dashes = [c.get_segments()[0][:, 0].tolist() for c in axes.collections]
    assert dashes == [[0.85, 1.15], [2.85, 3.15]]


def test_the_volume_grows_with_the_front(searched, make_study):
    against = {"monitor": "val/accuracy", "mode": "max", "against": ["macs"]}
    study = make_study("several", objective=against)
    for number, (score, macs) in enumerate([(0.5, 2000), (0.4, 3000), (0.8, 1000)]):
        study.trial(number, score, cost={"macs": macs})
    study.trial(3, 0.9, cost={"macs": 10}, state="stopped")
    evidence = evidence_of(study)
    assert not draw_volume(evidence, Figure())
    reference = {"val/accuracy": 0.0, "macs": 4000}
    write_json_atomically(
        study.folder / "study.json", {"schema_version": 1, "reference_point": reference}
    )
    figure = drawn(draw_volume, evidence_of(study))
    (line,) = figure.axes[0].lines
    assert list(line.get_ydata()) == pytest.approx([1000, 1000, 2400, 2400])
    assert "grew last with trial 3 of 4" in said(figure)
    assert "accuracy 0.0, MACs 4.0K" in said(figure)
    assert [file.name for file in write_study_figures(study.folder)][-1] == "hypervolume.svg"


def test_measured_costs_are_drawn_too(make_study):
    reference = {"val/accuracy": 0.0, "latency": 10.0}
    against = {"monitor": "val/accuracy", "mode": "max", "against": ["latency"]}
    study = make_study("measured", objective=against)
    write_json_atomically(
        study.folder / "study.json", {"schema_version": 1, "reference_point": reference}
    )
    for number, (score, milliseconds) in enumerate([(0.5, 2.5), (0.75, 5.0)]):
        study.trial(number, score, latency={"median_ms": milliseconds})
    (line,) = drawn(draw_volume, evidence_of(study)).axes[0].lines
    assert list(line.get_ydata()) == pytest.approx([3.75, 3.75 + 0.25 * 5])
    (axes,) = drawn(draw_tradeoff, evidence_of(study)).axes
    assert axes.get_xlabel() == "milliseconds a batch"


@pytest.mark.filterwarnings("error")
def test_the_same_folder_gives_the_same_bytes(whole_study, tmp_path):
    study = whole_study()
    files = write_study_figures(study.folder)
    assert [file.name for file in files] == ["anytime.svg", "pareto.svg", "curves.svg"]
    before = [file.read_bytes() for file in files]
    assert [file.read_bytes() for file in write_study_figures(study.folder)] == before
    for content in before:
        assert ElementTree.fromstring(content).tag.endswith("svg")  # noqa: S314  # our own
        assert str(tmp_path).encode() not in content


@pytest.mark.parametrize("draw", [draw_anytime, draw_tradeoff, draw_curves, draw_volume])
def test_ten_thousand_trials_stay_below_a_megabyte(make_study, tmp_path, draw):
    spec, result = make_study().trial(0, 0.5)
    rng = make_study("other").rng
    many = []
    for number in range(10_000):
        score, state = float(rng.random()), "stopped" if number % 2 else "complete"
        curve = tuple({"epoch": e, "val/accuracy": score * e / 10} for e in range(1, 11))
        cost = {"macs": int(1e6 * rng.random()) + 1, "parameters": int(1e4 * rng.random()) + 1}
        run = replace(spec, key=f"trials/{number:04d}", cost=cost, cutoffs={"5": score})
        many.append((run, replace(result, score=score, state=state, history=curve)))
    point = {"val/accuracy": 0.0, "macs": 1e6}
    evidence = StudyData("many", "val/accuracy", "max", tuple(many), reference_point=point)
    assert write_figure(tmp_path / "figure.svg", lambda figure: draw(evidence, figure))
    assert (tmp_path / "figure.svg").stat().st_size < 1_000_000


@pytest.mark.parametrize("state", ["failed", "diverged"])
def test_nothing_is_drawn_of_nothing(make_study, state, capsys):
    study = make_study()
    study.trial(0, None, state=state, epochs=0)
    study.trial(1, None, ended=False)
    assert main(["figures", str(study.folder)]) == 0
    assert "nothing to draw yet" in capsys.readouterr().out
    assert not (study.folder / "figures").exists()


def test_the_command_says_what_it_wrote(whole_study, capsys):
    study = whole_study()
    assert main(["figures", str(study.folder)]) == 0
    assert str(study.folder / "figures" / "pareto.svg") in capsys.readouterr().out.splitlines()


def test_a_comparison_has_figures_of_its_own(make_study):
    study = make_study(kind="comparison")
    with pytest.raises(InputError, match=r"draws its own figures.*leaderboard .* --svg"):
        write_study_figures(study.folder)
    with pytest.raises(InputError, match=r"settings\.yaml"):
        write_study_figures(study.folder / "none")


def test_captions_speak_of_what_is_drawn(make_study):
    study = make_study("bare")
    study.trial(0, 0.8)
    study.trial(1, 0.9)
    bare = StudyData.from_folder(study.folder)
    texts = [said(drawn(draw, bare)) for draw in (draw_anytime, draw_tradeoff, draw_curves)]
    for text, absent in zip(texts, ("Labelled lines", "Bars:", "Colour: finalists"), strict=True):
        assert absent not in text
    study.finalist("a", [0.85], origin="trials/0001")
    study.baseline(0, 0.6)
    text = said(drawn(draw_tradeoff, StudyData.from_folder(study.folder)))
    assert (
        "Bars: means of retrained rows over fresh seeds; what a mean is worse" in text
    )  # one seed
    assert "than its dot is luck of the search." in text  # the splits were given
    assert "Labelled lines: baselines (single runs, dashed)." in said(
        drawn(draw_anytime, StudyData.from_folder(study.folder))
    )
    study.finalist("b", [0.85, 0.8], origin="trials/0000", split_hash="other")
    text = said(drawn(draw_tradeoff, StudyData.from_folder(study.folder)))
    assert "over fresh seeds with 95% intervals over them" in text
    assert "luck of the search or of other validation images." in text
