"""Code in a folder that came from elsewhere never runs unasked, whatever the command."""

import json
import py_compile
import shutil
import sys

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from hybrid_swin.__main__ import main as train_main
from hybrid_swin.data.datamodule import make_datamodule
from hybrid_swin.data.settings import DataSettings
from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.load_save import save_weights
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec import registry
from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins
from hybrid_swin.spec.own_code.module_sources import module_sources
from hybrid_swin.spec.variant import Variant
from search.cli.commands import COMMANDS
from search.cli.main import main
from search.execution.job import Job
from search.execution.training_job import do_job
from search.launch.study import check, prepare
from search.records.study_file import read_fixed
from search.records.study_folder import adopt_modules, bind_settings
from search.settings.comparison import ComparisonSettings
from search.settings.study import StudySettings
from tests.conftest import BRANCH

VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": 10,
    "patch_size": 2,
    "window_size": 2,
    "stages": [{"width": 8, "depth": 1, "num_heads": 2, "blocks": ["evil"]}],
}
PLAIN = {**VARIANT, "stages": [{**VARIANT["stages"][0], "blocks": ["conv"]}]}
RUN = "finalists/0a1b2c/0"


class Downloaded:
    """A study's folder from elsewhere, with a plug-in that leaves a mark where it runs."""

    def __init__(self, folder, write_plugin):
        self.folder, self.mark = folder, folder.parent / "it-ran"
        folder.joinpath(RUN).mkdir(parents=True)
        text = BRANCH.format(name="Evil", options="", summary="Does harm.")
        self.plugin = write_plugin(
            "evil",
            f"open({str(self.mark)!r}, 'w').close()\n{text}",
            folder=f"{folder.name}/plugins",
        )
        self.hash = registry.source_hash(self.plugin)
        self.weights = folder / RUN / "model.safetensors"
        save_file({"a": np.zeros(1)}, self.weights, {"variant": json.dumps(VARIANT)})
        names = {"study": "theirs", "label": "evil", "variant_id": "v", "candidate_id": "0a1b2c"}
        run = {"key": RUN, "variant": VARIANT, "recipe": {"epochs": 1}, "seed": 0, **names}
        run |= {"kind": "finalist", "stage": "final", "schema_version": 1}
        folder.joinpath(RUN, "run.json").write_text(json.dumps(run))
        folder.joinpath("study.json").write_text(
            json.dumps({"data": {}, "plugins": {"evil.py": self.hash}})
        )
        folder.joinpath("trials").mkdir()
        self.write(StudySettings, trials=2)

    def write(self, settings, **changes):
        changes = {"name": "theirs", "plugins": ["/theirs/evil.py"], "variant": VARIANT, **changes}
        plain = settings(**changes).to_dict()
        self.folder.joinpath("settings.yaml").write_text(
            yaml.safe_dump({"schema_version": 1, **plain})
        )
        receipt = {"settings": plain, "code_hash": "c0", "plugins": {"evil.py": self.hash}}
        self.folder.joinpath("receipt.json").write_text(json.dumps(receipt))


@pytest.fixture
def theirs(tmp_path, write_plugin, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Downloaded(tmp_path / "theirs", write_plugin)


STUDY = [
    ["space", "theirs/receipt.json"],
    ["space", "theirs/settings.yaml"],
    ["run", "--config", "theirs/receipt.json"],
    ["run", "--config=theirs/receipt.json", "--dry-run"],
    ["run", "--config", "theirs/settings.yaml", "--name", "mine"],
    ["cost", f"theirs/{RUN}"],
    ["cost", "swin_t", "--match", f"theirs/{RUN}"],
    ["inspect", "theirs/finalists/0a1b2c/0/model.safetensors", "--data", "noise"],
    ["export", "theirs/finalists/0a1b2c/0/model.safetensors", "--format", "safetensors"],
    ["fit", "--variant", f"theirs/{RUN}", "--folder", "mine"],
]
COMPARISON = [
    ["compare", "--config", "theirs/receipt.json"],
    ["compare", "--config", "theirs/settings.yaml", "--dry-run"],
    ["leaderboard", "theirs"],
    ["attribution", "theirs"],
]


def do(arguments):
    return train_main(arguments) if arguments[0] == "fit" else main(arguments)


def refused(theirs, arguments, capsys):
    assert do(arguments) == 2
    assert not theirs.mark.exists(), "it ran"
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    assert len(message) < 320
    return message


@pytest.mark.parametrize("arguments", STUDY, ids=" ".join)
def test_code_of_a_downloaded_study_is_named_and_not_run(theirs, arguments, capsys):
    message = refused(theirs, arguments, capsys)
    assert "evil.py" in message and theirs.hash in message
    assert "--trust" in message and "--plugin theirs/plugins/evil.py" in message


@pytest.mark.parametrize("arguments", COMPARISON, ids=" ".join)
def test_code_of_a_downloaded_comparison_is_named_and_not_run(theirs, arguments, capsys):
    theirs.write(ComparisonSettings)
    message = refused(theirs, arguments, capsys)
    assert "evil.py" in message and theirs.hash in message and "--trust" in message


@pytest.mark.parametrize("command", [["status", "theirs"], ["figures", "theirs"], ["blocks"]])
def test_commands_that_only_look_run_nothing(theirs, command, capsys):
    shutil.rmtree(theirs.folder / "finalists")  # whose record is not whole
    assert main(command) == 0
    printed = capsys.readouterr()
    assert not theirs.mark.exists() and printed.err == ""
    assert "evil" not in printed.out


@pytest.mark.parametrize("more", [["--trust"], ["--plugin", "theirs/plugins/evil.py"]])
def test_it_runs_where_the_command_line_says_so(theirs, more, capsys):
    assert main(["space", "theirs/receipt.json", *more]) == 0
    assert theirs.mark.exists()
    theirs.mark.unlink()
    assert main(["cost", f"theirs/{RUN}", *more]) == 0


def test_trust_is_of_the_code_that_was_recorded(theirs, capsys):
    theirs.plugin.write_text(theirs.plugin.read_text() + "\n# changed\n")
    other = registry.source_hash(theirs.plugin)
    for arguments in (*STUDY, ["run", "--config", "theirs/receipt.json", "--plugin"]):
        more = ["--trust"]
        if arguments[-1] == "--plugin":
            more = ["theirs/plugins/evil.py"]
        message = refused(theirs, [*arguments, *more], capsys)
        assert other in message and theirs.hash in message


def test_compiled_code_beside_the_source_is_not_taken(theirs):
    """Its hash is nowhere, and Python may take it without a look at the source."""
    harmless = theirs.plugin.read_text().partition("\n")[2]
    compiled = theirs.plugin.parent / "__pycache__" / f"evil.{sys.implementation.cache_tag}.pyc"
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(theirs.plugin, compiled, invalidation_mode=unchecked)
    theirs.plugin.write_text(harmless)
    registry.add_plugin(theirs.plugin)
    assert registry.load("branch", "evil").__name__ == "Evil"
    assert not theirs.mark.exists()


def test_what_may_not_run_is_described(theirs):
    adopt_kept_plugins(theirs.weights, (), trust=False)
    assert registry.describe("branch", "evil").summary == "Does harm."
    with pytest.raises(InputError, match="not run unasked"):
        registry.load("branch", "evil")
    assert registry.runnable_plugins() == []
    adopt_kept_plugins(theirs.weights, (), trust=True)
    registry.load("branch", "evil")
    adopt_kept_plugins(theirs.weights, (), trust=False)  # it is in this process already
    registry.load("branch", "evil")


def test_a_config_of_ones_own_is_ones_word(theirs, tmp_path, capsys):
    own = tmp_path / "mine.yaml"
    settings = {"variant": VARIANT, "plugins": [str(theirs.plugin)]}
    own.write_text(yaml.safe_dump(settings))
    assert main(["space", "mine.yaml"]) == 0
    assert theirs.mark.exists()


def test_the_plugin_of_a_receipt_without_a_copy_must_be_given(theirs, tmp_path, capsys):
    (tmp_path / "receipt.json").write_text((theirs.folder / "receipt.json").read_text())
    message = refused(theirs, ["space", "receipt.json", "--trust"], capsys)
    assert "evil.py" in message and "--plugin FILE" in message
    assert main(["space", "receipt.json", "--plugin", str(theirs.plugin)]) == 0


def test_a_worker_does_not_run_a_copy_that_has_changed(theirs):
    job = Job("k", 1, "train", "k", {"plugins": {str(theirs.plugin): "0123456789"}})
    with pytest.raises(InputError, match="it is other code"):
        do_job(job, print)
    assert not theirs.mark.exists()


# data.class_path


PATH = "their_data.Images"
OWN = {"class_path": PATH}


@pytest.fixture
def their_data(theirs, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "their_data.py").write_text(f"open({str(theirs.mark)!r}, 'w').close()\n")
    yield theirs
    for name in ("their_data", "their_helper", "compiled_data"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        (StudySettings, {"data": OWN}),
        (ComparisonSettings, {"data": OWN}),
        (ComparisonSettings, {"factors": {"data.class_path": [OWN["class_path"]]}}),
    ],
)
def test_data_modules_are_code_too(their_data, settings, changes, capsys):
    their_data.write(settings, plugins=[], **changes)
    command = "run" if settings is StudySettings else "compare"
    for name in ("receipt.json", "settings.yaml"):
        message = refused(their_data, [command, "--config", f"theirs/{name}"], capsys)
        assert "their_data.Images" in message and "--trust" in message
        assert "their_data.py" in message and module_sources("their_data.Images").hash in message


@pytest.mark.parametrize("more", [["--trust"], ["--data.class_path", "their_data.Images"]])
@pytest.mark.parametrize("changed", ["their_data.py", "their_helper.py"])
def test_a_data_module_runs_as_it_was_recorded_only(their_data, more, changed, capsys, tmp_path):
    """With what it imports from beside it, whoever asked for it."""
    (tmp_path / "their_helper.py").write_text("SIZE = 1\n")
    module = tmp_path / "their_data.py"
    module.write_text(f"from their_helper import SIZE\n{module.read_text()}")
    recorded = module_sources("their_data.Images").hash
    file = tmp_path / changed
    file.write_text(file.read_text() + "# changed\n")
    found = module_sources("their_data.Images").hash
    their_data.write(StudySettings, plugins=[], data=OWN)
    for name, key in (("receipt.json", "receipt.json"), ("settings.yaml", "study.json")):
        content = json.loads((their_data.folder / key).read_text())
        (their_data.folder / key).write_text(json.dumps({**content, "modules": {PATH: recorded}}))
        arguments = ["run", "--config", f"theirs/{name}", "--dry-run", *more]
        message = refused(their_data, arguments, capsys)
        assert recorded in message and found in message and "other code" in message


def test_naming_one_data_module_does_not_let_another_run(their_data, capsys):
    factors = {"data.class_path": [PATH, "mine.Images"]}
    their_data.write(ComparisonSettings, plugins=[], factors=factors)
    arguments = ["compare", "--config", "theirs/receipt.json", "--data.class_path", "mine.Images"]
    assert PATH in refused(their_data, arguments, capsys)


@pytest.mark.parametrize("option", ["--run", "--data"])
def test_fit_imports_no_data_module_of_a_run_unasked(their_data, option, capsys):
    file = their_data.folder / RUN / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "variant": PLAIN, "data": OWN}))
    command = ["fit", option, f"theirs/{RUN}", "--folder", "mine"]
    message = refused(their_data, command, capsys)
    assert PATH in message and "their_data.py" in message and "--trust" in message


@pytest.mark.parametrize("more", [["--trust"], ["--data.class_path", PATH]])
def test_fit_compares_the_data_module_of_a_run(their_data, more, capsys):
    file = their_data.folder / RUN / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "variant": PLAIN, "data": OWN}))
    study = their_data.folder / "study.json"
    content = json.loads(study.read_text())
    study.write_text(json.dumps({**content, "modules": {PATH: "0123456789"}}))
    command = ["fit", "--data", f"theirs/{RUN}", "--variant", "swin_t", "--folder", "mine", *more]
    assert "it is other code" in refused(their_data, command, capsys)


@pytest.mark.parametrize("more", [["--trust"], ["--data.class_path", PATH]])
def test_inspect_compares_the_data_module_of_a_study(their_data, more, capsys):
    their_data.write(StudySettings, plugins=[], data=OWN)
    study = their_data.folder / "study.json"
    study.write_text(json.dumps({"data": {}, "modules": {PATH: "0123456789"}}))
    shutil.rmtree(their_data.folder / "plugins")
    save_weights(HybridSwin(Variant.from_dict(PLAIN)), their_data.weights)
    command = ["inspect", str(their_data.weights), *more]
    assert "it is other code" in refused(their_data, command, capsys)


def test_a_worker_does_not_import_a_data_module_that_has_changed(their_data):
    settings = {"plugins": {}, "modules": {PATH: "0123456789"}}
    with pytest.raises(InputError, match="it is other code"):
        do_job(Job("k", 1, "train", "k", settings), print)
    assert not their_data.mark.exists()


def test_a_data_module_of_ones_own_config_runs(their_data, tmp_path, capsys):
    config = {"data": OWN, "variant": PLAIN, "trials": 0, "baselines": [{"blocks": ["conv"]}]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    _, settings, _ = COMMANDS["run"].parse("run", ["--config", "mine.yaml"])
    with pytest.raises(InputError, match="unknown class of module their_data"):  # it is empty
        prepare(settings, *check(settings))
    assert their_data.mark.exists()


def test_a_study_goes_on_with_the_data_module_that_it_began_with(their_data, tmp_path):
    folder = tmp_path / "runs"
    settings = StudySettings(name="mine", folder=str(folder), data=DataSettings(**OWN))
    known = adopt_modules([PATH], settings.path)
    bind_settings(settings, {}, {}, {}, modules=known)
    bind_settings(settings, {}, {}, {}, modules=known)
    run = settings.path / "trials/0000"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    assert read_fixed(settings.path).modules == known == adopt_modules([PATH], settings.path)
    (tmp_path / "their_data.py").write_text("# changed\n")
    with pytest.raises(InputError, match="it is other code"):
        adopt_modules([PATH], settings.path)


def test_compiled_code_beside_a_data_module_is_not_taken(their_data, tmp_path, monkeypatch):
    module = tmp_path / "compiled_data.py"
    module.write_text((tmp_path / "their_data.py").read_text())
    compiled = tmp_path / "__pycache__" / f"compiled_data.{sys.implementation.cache_tag}.pyc"
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(module, compiled, invalidation_mode=unchecked)
    module.write_text("")
    settings = DataSettings(class_path="compiled_data.Images")
    with pytest.raises(InputError, match="unknown class"):
        make_datamodule(settings, Variant.from_dict(PLAIN), 2, 0)
    assert not their_data.mark.exists()


def test_inspect_imports_no_data_module_unasked(their_data, capsys):
    their_data.write(StudySettings, plugins=[], data=OWN)
    save_weights(HybridSwin(Variant.from_dict(PLAIN)), their_data.weights)
    message = refused(their_data, ["inspect", str(their_data.weights)], capsys)
    assert "their_data.Images" in message


@pytest.mark.parametrize("command", [["test"], ["validate"], ["predict", "--output", "a.csv"]])
def test_a_training_from_elsewhere_imports_no_data_module(their_data, command, capsys, tmp_path):
    settings = {"variant": PLAIN, "recipe": {"epochs": 1}, "data": OWN, "seed": 0}
    (tmp_path / "fitted").mkdir()
    (tmp_path / "fitted" / "settings.yaml").write_text(yaml.safe_dump(settings))
    assert train_main([command[0], "fitted", *command[1:]]) == 2
    message = capsys.readouterr().err
    assert "their_data.Images" in message and "add --trust" in message
    assert not their_data.mark.exists()
