"""The command `inspect`: looks into one network, writes numbers and figures, says what it saw."""

import platform
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.text import Text

from hybrid_swin.data.test_reads import LEDGER, RecordedRead, ledger_beside, ledger_near, recorded
from hybrid_swin.errors import InputError
from hybrid_swin.inspection.request import Request, as_trained
from hybrid_swin.inspection.runner import Outcome, make_inspections, run_inspections, save_figure
from hybrid_swin.interop.weights.source.files import weights_hash
from hybrid_swin.spec import registry
from hybrid_swin.system.answer import print_json
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import json_ready, read_json, write_json_atomically
from search.cli.inspect.images import ShownImages, make_subject_of, show_images
from search.cli.inspect.options import InspectQuestion
from search.cli.inspect.outcomes import print_outcomes, to_dict
from search.cli.inspect.target import TargetNetwork, find_target
from search.records.study_file import STUDY_FILE
from search.records.study_folder import recorded_test_read

SCHEMA_VERSION = 1
INDEX = "index.json"
FOLDER = "inspections"

# what makes two looks one: the network, its images and the seed, not how they are spelled
_IDENTITY = ("variant_id", "checkpoint_hash", "trained", "data", "seed")

_PACKAGES = ("hybrid-swin", "torch", "numpy", "matplotlib", "scikit-learn")


def inspect(question: InspectQuestion, console: Console | None = None) -> int:
    """Answer a question with files and a summary on the terminal. Returns the exit code.

    Raises InputError if the network, the images or an inspection cannot be had, or none of the
    inspections can be made.
    """
    console = console or Console()
    requests = question.inspections or tuple(Request(name) for name in registry.names("inspection"))
    make_inspections(requests)  # refuse now what cannot be
    target = find_target(question)
    sample = show_images(question, target)
    inspections = make_inspections(
        requests if sample.settings is None else as_trained(requests, sample.settings)
    )
    subject = make_subject_of(question, target, sample)
    if sample.why_no_labels is not None:
        console.say(Text.assemble(("labels are left out", "yellow"), f": {sample.why_no_labels}"))
    for note in sample.notes:
        console.say(Text.assemble(("note", "yellow"), f": {note}"))
    folder = Path(question.out) if question.out else _default_folder(target)
    index = Index(folder, _about(question, target, sample))
    if index.replaced:
        console.say(
            f"results of another network, other images or another seed in {folder}/ are replaced: "
            f"{', '.join(index.replaced)}"
        )
    kept: AbstractContextManager[None] = nullcontext()
    if question.split == "test" and not question.is_noise:
        warning = ": what is seen here must not choose a network"
        console.print(Text.assemble(("the test split is read", "yellow"), warning))
        kept, sentence = _test_reading(question, target, sample)
        console.say(sentence)
    with kept, Console(stderr=True).status("") as status:
        outcomes = []
        for outcome in run_inspections(
            subject, inspections, lambda name: status.update(Text(f"inspecting: {name}"))
        ):
            index.add(outcome, question.figures)
            outcomes.append(outcome)
    if not any(outcome.numbers and outcome.numbers["rows"] for outcome in outcomes):
        reasons = "; ".join(f"{o.request.name}: {o.reason}" for o in outcomes)
        raise InputError(f"nothing that was asked for can be inspected here: {reasons}")
    if question.format == "table":
        print_outcomes(outcomes, subject, target, sample, console)
    console.say(f"\nnumbers and figures: {folder}/")
    if question.wandb:
        from search.reporting.wandb.inspection import send

        names = [outcome.request.name for outcome in outcomes]
        console.say(send(folder, question.log_images, names))
    if question.format == "json":
        print_json({"folder": str(folder), **to_dict(index.content, outcomes)})
    return 0


def _default_folder(target: TargetNetwork) -> Path:
    """In the folder of the run or the training; of a network without one in the working folder."""
    if target.home is None or target.checkpoint is None:
        return Path(FOLDER) / target.name
    folder = target.checkpoint.resolve().parent
    folder = (folder.parent if folder.name.startswith("attempt-") else folder) / FOLDER
    here = Path.cwd().resolve()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _test_reading(
    question: InspectQuestion, target: TargetNetwork, sample: ShownImages
) -> tuple[AbstractContextManager[None], str]:
    """What writes down that a trained network is shown test images, and where that is, in words.

    It raises InputError where it cannot be written down, and must not be done.
    """
    if target.checkpoint is None:
        return nullcontext(), "this reading is not recorded: the weights are random"
    home = target.home or target.checkpoint.resolve().parent
    split = sample.about.get("test_hash") or sample.about["data_hash"]
    other = f"/{split}" if question.data is not None else ""
    candidate = target.run.candidate_id if target.run else target.model.variant.id
    if (home / STUDY_FILE).exists():  # a study, which keeps a ledger of its own
        key = f"inspect/{target.name}{other}"
        kept = recorded_test_read(home, "inspect", key, candidate, sample.about)
        where = f"{home / LEDGER} and in {ledger_beside(home)}"
    else:
        ledger, key = ledger_near(home), f"inspect/{weights_hash(target.checkpoint)}{other}"
        hashes = (sample.about.get("test_hash", ""), sample.about["data_hash"])
        kept = recorded(RecordedRead(home.name, key, "inspect", candidate, *hashes), ledger)
        where = str(ledger)
    return kept, f"this reading is recorded in {where} as {key}"


class Index:
    """``index.json`` of a folder of inspections, and the files that it names.

    Inspections of the same network, images and seed are kept beside each other; those of another
    one are taken away, so that a folder never shows two networks as one; ``replaced`` names them.
    Raises InputError if the folder cannot be written, or holds an index.json of something else.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self._folder = folder
        self.replaced: tuple[str, ...] = ()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            subject, inspections = _known(folder)
            stale: dict[str, Any] = {}
            if _identity(subject) != _identity(json_ready(about)):
                stale, inspections = inspections, {}
            self.content: dict[str, Any] = {
                "schema_version": SCHEMA_VERSION,
                "subject": about,
                "versions": _versions(),
                "inspections": inspections,
            }
            write_json_atomically(folder / INDEX, self.content)
            for entry in stale.values():
                self._remove(entry)
            self.replaced = tuple(stale)
        except OSError as error:
            raise InputError(
                f"folder {str(folder)!r} cannot be written: {error.strerror}; give another --out"
            ) from error

    def add(self, outcome: Outcome, ending: str) -> None:
        """Write one inspection's numbers and figure, and the index."""
        name = outcome.request.name
        self._remove(self.content["inspections"].get(name, {}))
        entry: dict[str, Any] = {
            "options": outcome.request.options,
            "seconds": round(outcome.seconds, 2),
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "reason": outcome.reason,
            "numbers": None,
            "figure": None,
        }
        if outcome.numbers is not None:
            entry["numbers"] = f"{name}.json"
            content = {"inspection": name, "options": outcome.request.options} | outcome.numbers
            write_json_atomically(self._folder / f"{name}.json", content)
            figure = f"{name}.{ending}"
            if save_figure(outcome.inspection, outcome.numbers, self._folder / figure):
                entry["figure"] = figure
        self.content["inspections"][name] = entry
        write_json_atomically(self._folder / INDEX, self.content)

    def _remove(self, entry: dict[str, Any]) -> None:
        for key in ("numbers", "figure"):
            if isinstance(entry.get(key), str):
                (self._folder / Path(entry[key]).name).unlink(missing_ok=True)


def _known(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The subject and the inspections of the index that lies there; empty where there is none.

    Raises InputError if the file is not an index of inspections.
    """
    if not (folder / INDEX).exists():
        return {}, {}
    index: dict[str, Any] = {}
    with suppress(InputError):
        index = read_json(folder / INDEX)
    subject, inspections = index.get("subject"), index.get("inspections")
    if (
        "schema_version" not in index
        or not isinstance(subject, dict)
        or not isinstance(inspections, dict)
        or not all(isinstance(entry, dict) for entry in inspections.values())
    ):
        raise InputError(f"{str(folder)!r} is not a folder of inspections; give another --out")
    return subject, inspections


def _identity(about: Mapping[str, Any]) -> list[Any]:
    return [about.get(key) for key in _IDENTITY]


def _about(question: InspectQuestion, target: TargetNetwork, sample: ShownImages) -> dict[str, Any]:
    return {
        "target": question.target,
        **target.about(),
        "data": sample.about,
        "seed": question.seed,
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
