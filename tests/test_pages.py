"""The commands of the README and of docs, page by page, run in the order in which they stand.

Each page has a folder of its own. In it lie the files that the page shows: a listing whose first
line is a comment with a file's name. A listing in ``bash`` is run. One in ``console`` is not: it
needs an hour, a server, an account or a package index. Trainings take no time; all else is the
program's own.
"""

import re
import shlex
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from hybrid_swin.__main__ import main as train_main
from search.cli.main import main as search_main
from search.launch.hours import estimate, pilots
from search.launch.hours.pace import Pace
from tests.search.records import instant_folders

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_RUN = ("pip ", "python -m pytest ", "python -m benchmarks.")  # installs, and what takes minutes
SHORTER = {
    "run": ["--trials", "3", "--finalists.top", "1"],
    "fit": ["--recipe.epochs", "1", "--recipe.batch_size", "512"],
}
FOLDERS = ("hybrid_swin", "search", "benchmarks", "configs", "tests", "docs", r"\.ci")
OF_THE_READER = re.compile("axial|my_mixer")  # what a page lets the reader write
SHELL = ("cp ", "mkdir ", "sed ")  # of the system, with redirections


def listings(page):
    """Language and text of every listing, in order."""
    return re.findall(r"```(\w+)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(page):
    """Every line of a listing in bash; a backslash at its end goes on with the next."""
    for language, text in listings(page):
        if language == "bash":
            yield from filter(str.strip, text.replace("\\\n", " ").splitlines())


def write_files(page, folder):
    """The files that a page shows; those of a name once, as they stand first."""
    for language, text in listings(page):
        named = re.match(r"# ([\w.]+\.(?:py|yaml))\n", text)
        if named and language in ("python", "yaml") and not (folder / named[1]).exists():
            (folder / named[1]).write_text(text, encoding="utf-8")


@pytest.fixture
def instant(monkeypatch):
    """Trainings of studies, comparisons and dry runs take no time."""
    trained = instant_folders.use_instant_workers(monkeypatch)

    pace = Pace(0.01, 1e-4, 1e-11, 120.0, 1.0, 2)  # few runs fit into an hour
    workers = nullcontext(instant_folders.InstantWorkers())
    monkeypatch.setattr(pilots, "start_workers", lambda *_: workers)
    monkeypatch.setattr(pilots.PilotWorkers, "pace", lambda *_: pace)
    monkeypatch.setattr(estimate, "estimated_seconds", lambda *_: 3600.0)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    return trained


@pytest.fixture(scope="session")
def digits(made_once):
    """The default study, run once for all pages that speak of what it leaves."""

    def run(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("WANDB_MODE", "disabled")
            instant_folders.use_instant_workers(patch)
            assert search_main(["run", *SHORTER["run"]]) == 0

    return made_once("default-study", run) / "runs"


class Shell:
    """A reader's shell in a folder: variables, and the commands that pages show."""

    def __init__(self, folder):
        self.folder, self.variables = folder, {}

    def run(self, line):
        """The exit code of a line."""
        words = shlex.split(line, comments=True)
        given = re.fullmatch(r"([A-Z]+)=(.+)", " ".join(words))
        if given:
            self.variables[given[1]] = given[2]
        if given or not words:
            return 0
        words = [self.filled(word) for word in words]
        if line.startswith(SHELL):
            return subprocess.run(line, shell=True, cwd=self.folder, check=False).returncode  # noqa: S602
        if words[:2] == ["python", "search.py"]:
            command = words[2] if len(words) > 2 else "run"
            planned = {"--dry-run", "--images"} & {*words}
            more = [] if planned else SHORTER.get(command, [])
            if "configs/compare/reach" in line:  # draws its images, for each of its cells
                more = [*more, "--data.options.train", "4096"]
            return search_main([command, *words[3:], *more])
        if words[:3] == ["python", "-m", "hybrid_swin"]:
            return train_main([*words[3:], *SHORTER.get(words[3], [])])
        raise AssertionError(f"no test knows how to run {line!r}; write it in a console listing")

    def filled(self, word):
        """A word with variables, and with ID as the first that there is."""
        for name, value in self.variables.items():
            word = word.replace(f"${name}", value)
        before, found, after = word.partition("/ID")
        if found:
            word = f"{next(iter(sorted(Path(before).iterdir())))}{after}"
        return word


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_run_in_their_order(
    page, tmp_path, monkeypatch, capsys, instant, digits, photos, clean_registry
):
    lines = [line for line in commands(page) if not line.startswith(NOT_RUN)]
    if not lines:
        return
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["search.py"])
    for name in ("configs", "search.py"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "photos").symlink_to(photos)
    write_files(page, tmp_path)
    if "python search.py" not in lines and any("runs/digits" in line for line in lines):
        shutil.copytree(digits, tmp_path / "runs")
    shell = Shell(tmp_path)
    for line in lines:
        try:
            code = shell.run(line)
        except SystemExit as end:  # --help
            code = end.code
        out = capsys.readouterr()
        assert not code, f"{page.name}: {line}\n{out.out[-2000:]}\n{out.err[-2000:]}"
        assert "no block uses its word" not in out.out + out.err, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for path, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([\w-]+))?\)", page.read_text("utf-8")):
        target = (page.parent / path) if path else page
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert anchor in map(anchor_of, headings), f"{path}#{anchor}"


def anchor_of(heading):
    """What GitHub calls a heading in links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.stem)
def test_files_and_modules_that_a_page_names_exist(page):
    text = page.read_text("utf-8")
    paths = re.findall(rf"(?<![\w/.])((?:{'|'.join(FOLDERS)})/[\w./-]*\w/?)", text)
    for path in paths:
        assert (ROOT / path).exists() or OF_THE_READER.search(path), path
    for name in re.findall(r"(?<![\w/.])((?:hybrid_swin|search|benchmarks)(?:\.\w+)+)", text):
        if not name.endswith(".py") and not OF_THE_READER.search(name):
            assert exists(name), name


def exists(name):
    """Whether a dotted name is a module, or something that a module defines or exports."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        file = ROOT.joinpath(*parts[:count])
        if file.is_dir() or file.with_suffix(".py").is_file():
            source = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
            rest = parts[count : count + 1]
            return not rest or re.search(rf"\b{rest[0]}\b", source.read_text("utf-8")) is not None
    return False


def test_a_missing_module_is_seen():
    assert exists("hybrid_swin.spec.registry.add_plugin")
    assert exists("hybrid_swin.cost")
    assert not exists("hybrid_swin.spec.nowhere")
    assert not exists("hybrid_swin.nowhere.registry")
    assert anchor_of("Weights & Biases") == "weights--biases"
