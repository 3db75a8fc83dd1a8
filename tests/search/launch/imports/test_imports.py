"""A study that begins with what is known: from a file, a study, a Python list."""

import fcntl
import json
import os
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

import search
from hybrid_swin.data.loading import LoadedData
from hybrid_swin.errors import InputError
from search.cli.main import main
from search.launch import study as launch
from search.launch.imports.entries import offers_in, offers_in_table
from search.launch.imports.request import ImportRequest, read_import
from search.launch.study import check
from search.leaderboard.rung_audit import audit
from search.records.imported import read_imported
from search.records.runs import iter_runs
from search.settings.given import resolve_settings
from search.settings.study import RungSettings, StudySettings
from tests.search.records import instant_folders as instants

STUDY = instants.STUDY
SMALL = {**STUDY, "trials": 8, "name": "b"}
SEARCHED = {"random_search": True, "name": "tpe", "lookahead": 2, "startup_trials": 2}


def without_training(patch, folder):
    """Work in a folder, train in no time, and draw no figures; gives the keys that are trained."""
    patch.chdir(folder)
    hashes = {**instants.HASHES, "split_hash": "s0"}
    patch.setattr(LoadedData, "hashes", property(lambda self: hashes))
    patch.setattr(launch, "_draw", lambda *_: None)
    return instants.use_instant_workers(patch)


def make_a(folder):
    with pytest.MonkeyPatch.context() as patch:
        without_training(patch, folder)
        search.run_study({**STUDY, "name": "a"}, progress=False)


@pytest.fixture
def trained(monkeypatch, tmp_path, made_once):
    """The keys of what is trained, in a folder where study ``a`` has ended."""
    shutil.copytree(made_once("study-a", make_a), tmp_path, dirs_exist_ok=True)
    return without_training(monkeypatch, tmp_path)


def run(*given, **changes):
    return search.run_study({**SMALL, **changes}, progress=False, **given[0] if given else {})


def imported(folder="runs/b"):
    return read_imported(Path(folder))


def of_trials(keys):
    return [key for key in keys if key.startswith("trials/")]


def test_the_best_runs_of_a_study_are_taken_over_and_cost_nothing(trained, capsys):
    finalists = {**STUDY["finalists"], "top": 2}
    given = {**SMALL, "sampler": SEARCHED, "finalists": finalists}
    study = search.run_study(given, import_trials="runs/a")
    assert "4 runs taken over, not counted as search cost" in capsys.readouterr().out
    assert of_trials(trained) == [f"trials/000{i}" for i in range(4, 8)]
    there = {spec.key: (spec, result) for spec, result in iter_runs(study.folder.parent / "a")}
    trials = [one for key, one in there.items() if key.startswith("trials/")]
    best = sorted(trials, key=lambda run: -run[1].score)[:4]
    here = {spec.key: (spec, result) for spec, result in iter_runs(study.folder)}
    for number, (spec, result) in enumerate(best):
        own, ended = here[f"trials/000{number}"]
        origin = f"runs/a/{spec.key}"
        assert (own.candidate_id, ended.score) == (spec.candidate_id, result.score)
        assert own.imported_from == origin
        took = {"from": origin, "attempt": 1, "seconds": result.seconds, "passes": 5.0}
        assert (ended.taken_over, ended.seconds, ended.passes) == (took, {}, 0.0)
        assert ended.history == result.history
    # the random search is worth what was trained here
    drawn = [key for key in trained if key.startswith("random/")]
    spent = [sum(here[key][0].cost["macs"] for key in keys) for keys in (of_trials(trained), drawn)]
    assert spent[1] >= spent[0] > spent[1] - max(spec.cost["macs"] for spec, _ in trials)
    receipt = json.loads((study.folder / "receipt.json").read_text())
    assert receipt["imported"]["seconds_not_counted"] == 4.0
    counted = sum(result.seconds.get("total", 0.0) for _, result in here.values())
    assert receipt["training_seconds"] == counted == len(trained)
    text = " ".join(study.report(200, full=True).split())
    assert "The search began with 4 candidates from runs/a; 4 runs taken over" in text
    assert re.search(r"now # \d, taken over", text)
    text = " ".join(study.report().split())
    assert "imported, so the search did not find it" in text


def test_a_run_that_was_taken_over_twice_says_where_it_was_trained(trained):
    run({"import_trials": "runs/a"})
    trained.clear()
    study = run({"import_trials": "runs/b", "import_trials_top": 2}, name="c")
    results = [result for spec, result in iter_runs(study.folder) if spec.imported_from]
    assert all(result.taken_over["seconds"]["total"] == 1.0 for result in results[:2])
    origins = {Path(result.taken_over["from"]).parts[1] for result in results[:2]}
    assert origins <= {"a", "b"} and "a" in origins


def test_a_restart_needs_neither_the_source_nor_the_option(trained):
    digest = run({"import_trials": "runs/a"}).board.digest()
    trained.clear()
    shutil.rmtree("runs/a")
    assert run().board.digest() == digest
    assert run({"import_trials": "runs/a"}).board.digest() == digest
    for lost in ("trials/0001", "trials/0006", "optuna.journal"):
        path = f"runs/b/{lost}"
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    assert run().board.digest() == digest
    assert of_trials(trained) == ["trials/0006"]  # the other one was taken over


def test_what_it_took_over_repeats_a_study(trained):
    """By the receipt's command, also where the source is gone."""
    study = run({"import_trials": "runs/a"})
    shutil.rmtree("runs/a")
    receipt = json.loads((study.folder / "receipt.json").read_text())
    assert "--import-trials imported.json" in receipt["repeat"]
    trained.clear()
    given = {"import_trials": "runs/b/imported.json", "progress": False}
    again = search.run_study("runs/b/receipt.json", name="c", **given)
    assert again.board.digest() == study.board.digest()
    assert of_trials(trained) == [f"trials/000{i}" for i in range(4, 8)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seed": 1}, "seed is "),
        ({"recipe": {**STUDY["recipe"], "epochs": 6}}, "recipe.epochs is 5 there and 6 in this"),
        ({"recipe": {**STUDY["recipe"], "precision": "bf16-mixed"}}, "recipe.precision is 'auto'"),
        ({"data": {"source": "digits", "epoch_images": 99}}, "data.epoch_images is 0 there and 99"),
        ({"objective": {"monitor": "val/loss", "mode": "min"}}, "no training that came to its end"),
        ({"objective": {"against": ["macs"]}}, ""),  # which is known of all
    ],
)
def test_a_run_that_is_not_the_studys_own_is_trained_here(trained, changes, why):
    if "no training" in why:
        with pytest.raises(InputError, match=f"{why} with val/loss"):
            run({"import_trials": "runs/a"}, **changes)
        assert not os.path.exists("runs/b")
        return
    run({"import_trials": "runs/a"}, **changes)
    reasons = {candidate.why_trained for candidate in imported().candidates}
    assert len(imported().candidates) == 4
    assert all(why in reason for reason in reasons) and bool(why) == all(reasons)
    assert len(of_trials(trained)) == (8 if why else 4)


def test_a_run_of_other_code_or_images_or_packages_is_trained_here(trained):
    for name, value in (("code_hash", "other"), ("data_hash", "other"), ("split_hash", "other")):
        run({"import_trials": edited(name, value)}, name=name)
        assert {c.why_trained.partition(" is 'other' there")[1] for c in of(name)} == {
            " is 'other' there"
        }
    receipt = json.loads(Path("runs/a/receipt.json").read_text())
    receipt["versions"]["torch"] = "1.0"
    Path("runs/a/receipt.json").write_text(json.dumps(receipt))
    run({"import_trials": "runs/a"}, name="packages")
    assert all(c.why_trained.startswith("torch is '1.0' there") for c in of("packages"))


def of(name):
    return imported(f"runs/{name}").candidates


def edited(name, value):
    """Study ``a`` with another value in all its results."""
    folder = f"runs/a-{name}"
    shutil.copytree("runs/a", folder)
    for file in Path(folder).glob("trials/*/result.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    return folder


@pytest.mark.parametrize("file", ["leaderboard.json", "leaderboard.csv"])
def test_a_leaderboard_gives_candidates_without_runs(trained, file):
    run({"import_trials": f"runs/a/{file}"})
    candidates = imported().candidates
    assert len(candidates) == 4 and not imported().taken_over
    known = [spec.params for spec, _ in iter_runs(Path("runs/a"))]
    assert all(candidate.params in known for candidate in candidates)
    assert len(of_trials(trained)) == 8


@pytest.mark.parametrize("sign", [1, -1])
def test_a_table_orders_candidates_by_the_search_as_json_does(sign):
    """Retrained rows have ranks by fresh seeds, which must not choose."""
    scores = [
        ("final", 2, 0.9, 0.1),
        ("final", 2, 0.8, 0.2),
        ("search", 1, 0.7, ""),
        ("search", 1, 0.3, ""),
    ]
    names = ("fidelity", "seeds", "validation_mean", "search_score")
    rows = [dict(zip(names, score, strict=True), rank=n) for n, score in enumerate(scores, 1)]
    for row in rows:
        row |= {name: sign * row[name] or None for name in names[2:]}
    mode, other = ("max", "min")[::sign]
    lines = [",".join(str(row[name] or "") for name in row) for row in reversed(rows)]
    rows = [{**row, "params": {"x": row["rank"]}} for row in rows]
    text = "\n".join([",".join([*names, "rank", "params.x"])] + [f"{li},{li[-1]}" for li in lines])
    for offers in (offers_in({"mode": mode, "rows": rows}, ""), offers_in_table(text, "", other)):
        assert [int(one.values["x"]) for one in offers] == [3, 4, 2, 1]


WRITTEN = [
    "mdta",
    ["w_msa+mdta"],
    {"blocks": ["mdta"], "set": {"recipe.learning_rate": 0.002}},
    {**instants.VARIANT, "stages": [{**instants.VARIANT["stages"][0], "blocks": ["mdta+w_msa"]}]},
]


@pytest.mark.parametrize("kind", ["list", "yaml", "json"])
def test_a_list_is_tried_whole_in_its_order(trained, tmp_path, kind):
    given = WRITTEN[:3]
    if kind != "list":
        given = tmp_path / f"known.{kind}"
        given.write_text(yaml.safe_dump(WRITTEN[:3]) if kind == "yaml" else json.dumps(WRITTEN[:3]))
    study = run({"import_trials": given}, trials=3)
    params = [c.params for c in imported().candidates]
    rates = [one["recipe.learning_rate"] for one in params]
    assert [one["stages.0.blocks"] for one in params] == ["mdta", "w_msa+mdta", "mdta"]
    assert rates == [0.001, 0.001, 0.002]
    ran = [spec.params for spec, _ in iter_runs(study.folder) if spec.kind == "trial"]
    assert ran == params
    assert "It did not find them" in " ".join(study.report(full=True).split())


def test_a_networks_file_is_one_candidate(trained, tmp_path):
    file = tmp_path / "variant.yaml"
    # of other images: what belongs to the data is this study's
    file.write_text(yaml.safe_dump({**WRITTEN[3], "image_size": 32, "num_classes": 3}))
    run({"import_trials": str(file)})
    assert [c.params["stages.0.blocks"] for c in imported().candidates] == ["w_msa+mdta"]


def test_what_does_not_fit_is_left_out_with_the_reason(trained, capsys):
    variant = {**STUDY["variant"], "mlp_ratio": 2.0}
    with pytest.raises(InputError, match=r"none of the 13 .*mlp_ratio is 1.0 there and 2.0 in th"):
        run({"import_trials": "runs/a"}, variant=variant)
    assert not os.path.exists("runs/b")
    stages = [{**variant["stages"][0], "blocks": {"choose": [["mdta"], ["conv"]]}}]
    run({"import_trials": "runs/a"}, variant={**STUDY["variant"], "stages": stages})
    assert {c.params["stages.0.blocks"] for c in imported().candidates} == {"mdta"}
    reasons = {one.why for one in imported().left_out}
    assert "stages.0.blocks w_msa+mdta is not in the space (mdta, conv)" in reasons


def test_top_and_bounds(trained):
    run({"import_trials": "runs/a", "import_trials_top": 7})
    assert len(imported().candidates) == 7
    with pytest.raises(InputError, match="must be from 1 to the 8 trials; got 9"):
        run({"import_trials": "runs/a", "import_trials_top": 9}, name="c")
    with pytest.raises(InputError, match="belongs to --import-trials"):
        run({"import_trials_top": 2}, name="c")
    with pytest.raises(InputError, match=r"3 candidates .* fit and trials is 2; give --trials 3"):
        run({"import_trials": WRITTEN[:3]}, name="c", trials=2)
    with pytest.raises(InputError, match="trials is 0"):
        run({"import_trials": WRITTEN}, name="c", trials=0)


def test_a_list_is_cut_where_hours_leave_fewer_trials(trained):
    settings = resolve_settings(StudySettings, {**SMALL, "trials": 2}, {}, "")[0]
    space, candidates = check(settings)
    request = ImportRequest(WRITTEN[:3])
    given = read_import(request, settings, space, candidates, limited=True)
    assert (len(given.choice.fitting), given.choice.beyond) == (2, 1)


def test_another_import_than_a_study_began_with_is_refused(trained):
    run({"import_trials": "runs/a"})
    with pytest.raises(InputError, match="has begun with the candidates of 'runs/a'"):
        run({"import_trials": WRITTEN})
    run(name="c")
    with pytest.raises(InputError, match="has begun without; leave it out"):
        run({"import_trials": "runs/a"}, name="c")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("runs/aa", r"there is no 'runs/aa' in '.*'; did you mean 'runs/a'\?"),
        ("runs", "it holds the folders of a: give one of them, such as 'runs/a'"),
        ("runs/b", "is of this study itself"),
        ("runs/b/leaderboard.json", "is of this study itself"),
        ("runs/a/trials/0003", "is the folder of one run; give that of its study"),
        ("runs/a/settings.yaml", "holds the settings of a study, not candidates"),
        ("runs/a/receipt.json", "receipt.json holds something else, not candidates"),
        ("runs/a/optuna.journal", "give a study's folder, or a file that ends with"),
        ("damaged.json", "damaged.json.* JSON"),
        ("later", "schema_version 99 is of a later program"),
        ("running", r"study 'running' is being run by process \d+; wait"),
        ("torn", "settings.yaml is damaged"),
        ([{"block": ["mdta"]}], "unknown field of a candidate 'block'; did you mean 'blocks'"),
        ([3], "import_trials #1: 3 is not a candidate; write a block word"),
        (["w_mas"], "unknown branch 'w_mas'; did you mean 'w_msa'"),
        (["w_msa"] * 10_001, "lists 10,001 candidates; give at most 10,000, the best first"),
        ([], "must hold a list of candidates"),
    ],
)
def test_a_source_that_cannot_be_read_is_one_line(trained, capsys, given, message):
    Path("damaged.json").write_text("[1,")
    shutil.copytree("runs/a", "later")
    _rewrite("later/settings.yaml", lambda text: text.replace("_version: 1", "_version: 99"))
    shutil.copytree("runs/a", "torn")
    _rewrite("torn/settings.yaml", lambda text: text[: len(text) // 2])
    shutil.copytree("runs/a", "running")
    with open("running/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        with pytest.raises(InputError, match=message) as refused:
            run({"import_trials": given})
        assert len(str(refused.value).splitlines()) == 1 and len(str(refused.value)) < 500
        if isinstance(given, str):
            config = instants.write_config(Path("b.yaml"), SMALL)
            assert main(["run", "--config", str(config), "--import-trials", given]) == 2
            assert "Traceback" not in capsys.readouterr().err
    assert not trained and not os.path.exists("runs/b")


def test_two_sources_are_refused_rather_than_one_of_them_left_out(trained, capsys):
    config = instants.write_config(Path("b.yaml"), SMALL)
    words = ["run", "--config", str(config), "--import-trials", "runs/a", "--import_trials=runs/a"]
    assert main(words) == 2
    assert "--import-trials is given twice" in capsys.readouterr().err
    assert not trained and not os.path.exists("runs/b")


def test_a_list_without_runs_says_so(trained):
    run({"import_trials": ["w_msa+mdta"]})
    (candidate,) = imported().candidates
    assert candidate.why_trained == "a file of candidates has no runs that could be taken over"


def _rewrite(path, change):
    Path(path).write_text(change(Path(path).read_text()))


def test_a_plugin_of_the_source_is_not_run(trained, tmp_path):
    """A network with a block that this study does not know is left out; the file stays text."""
    mark = tmp_path / "ran"
    (tmp_path / "runs/a/plugins").mkdir(exist_ok=True)
    (tmp_path / "runs/a/plugins/evil.py").write_text(f"open({str(mark)!r}, 'w')")
    for file in (tmp_path / "runs/a").glob("trials/*/run.json"):
        content = json.loads(file.read_text())
        if content["label"] == "mdta":
            content["variant"]["stages"][0]["blocks"] = ["evil"]
            file.write_text(json.dumps(content))
    run({"import_trials": "runs/a"})
    why = "stages.0.blocks: unknown branch 'evil'; if it is of a plug-in, give --plugin FILE"
    assert why in {one.why for one in imported().left_out}
    assert not mark.exists()


def test_rungs_neither_stop_nor_learn_from_what_is_imported(trained):
    rungs = {"first": 1, "factor": 2, "audit": 0}
    study = run({"import_trials": "runs/a"}, rungs=rungs)
    runs = [(spec, result) for spec, result in iter_runs(study.folder) if result]
    trials = [spec for spec, _ in runs if spec.kind == "trial"]
    assert all(spec.cutoffs == {} for spec in trials[:4])
    assert all(spec.cutoffs == {} for spec in trials[4:6])  # their lookahead reaches no own result
    assert trials[7].cutoffs
    found = audit(runs, RungSettings(**rungs), "val/accuracy", "max")
    assert asdict(found)["rungs"][0]["reached"] == 4  # of the study's own


def test_a_damaged_file_of_imports_is_one_line(trained):
    run({"import_trials": "runs/a"})
    file = Path("runs/b/imported.json")
    content = json.loads(file.read_text())
    content["candidates"][0]["params"]["recipe.learning_rate"] = 0.002
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"imported.json.*not the one that the study began with"):
        run()
    report = " ".join(search.open_study("runs/b").report(full=True).split())
    assert "which trials were given to the search is not known in full" in report
