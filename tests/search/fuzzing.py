"""Wrong input by the thousand: seeded mutations of settings, command lines, words and files.

A case is a command line in a folder of files. Nothing is trained: a command that would begin to
train ends there, and counts as accepted.
"""

import contextlib
import io
import json
import random
import signal
import time
import traceback
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

TEXTS = (
    *("", " ", "-", "--", "\0", "a\0b", "a\nb", "\x1b[31mred", "\u202eleft", "\ud800", "é" * 300),
    *("x" * 5000, "~nobody/x", "../" * 2000, "/dev/null", "/dev/zero", "/proc/self/mem", "."),
    *("0", "-1", "1e400", "-1e400", "nan", "inf", ".inf", "-.inf", "9" * 400, "1e-400", "1e308"),
    *("010", "1:30", "0o17", "1_000", "0x1F", "yes", "no", "on", "off", "null", "~", "2024-05-01"),
    *("true", "1.5", "100000000000000000000", "[]", "{}", "[[[[", "{a: b", "- x", "&a [*a]", "*a"),
    *("!!python/object/apply:os.system [x]", "'", '"', "`x`", "$(x)", "%s%n", "=1+1", "a: b: c"),
    *("w_msa+", "(w_msa)", "conv(kernel=100000000000000000001)", "w_msa:" + "sum" * 200),
    *("w_msa(window=-1)", "mdta(heads=1e400)", "+".join(["conv"] * 500), "conv(kernel=)"),
)
VALUES = (
    *(0, 1, -1, 2**31, 2**63, 10**20, 10**400, 0.5, -0.5, 1e-300, 1e308, float("nan")),
    *(float("inf"), True, False, None, [], {}, [[]], [None], {"": 0}, {0: 1}, {"choose": []}),
    *({"choose": [1]}, {"choose": [1, "a", None]}, {"from": 1}, {"from": 2, "to": 1, "step": 0}),
    *({"from": 1, "to": 10**20, "step": 1}, {"from": -1, "to": 1, "log": True}, {"same_as": "x"}),
    *({"times": ["stages.0.width", 10**400]}, {"times": []}, {"same_as": None}, [1] * 3000),
)
SECONDS = 20
LONGEST = 300 + len("error: ")


class Stopped(Exception):
    """All checks have passed, and work would begin."""


class Hung(BaseException):
    """A command that takes too long."""


@dataclass
class Case:
    """A command line, and the files that it is run beside."""

    command: list[str]
    files: dict[str, str | bytes] = field(default_factory=dict)
    door: str = "search"


@dataclass
class Outcome:
    """What a command did: its exit code, or ``work`` where it would have begun; what is wrong."""

    code: object
    said: str
    wrong: str = ""
    seconds: float = 0.0


def run(case, folder):
    """Run a case with ``folder`` as the working folder."""
    for name, content in case.files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        file.write_bytes(raw)
    from hybrid_swin.__main__ import main as train_main
    from search.cli.main import main

    signal.signal(signal.SIGALRM, _hang)
    out, err = io.StringIO(), io.StringIO()
    begin, wrong = time.monotonic(), ""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = (main if case.door == "search" else train_main)(case.command)
    except Stopped:
        code = "work"
    except SystemExit as ended:
        code = ended.code or 0
    except Hung:
        code, wrong = None, f"took more than {SECONDS} s\n{traceback.format_exc(limit=-6)}"
    except BaseException:
        code, wrong = None, traceback.format_exc(limit=-6)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    said = err.getvalue()
    if not wrong and code not in (0, 2, "work"):
        wrong = f"exit code {code}"
    if not wrong and code == 2:
        lines = said.strip("\n").splitlines() or [""]
        if not lines[-1].startswith("error: ") or len(said.strip("\n").split("\n")) > 1:
            wrong = f"not one line of an error: {said[:2000]!r}"
        elif len(lines[-1]) > LONGEST:
            wrong = f"{len(lines[-1])} characters"
    if not wrong and any(ord(c) < 32 and c not in "\n\t\r" for c in said):
        wrong = f"control characters: {said[:500]!r}"
    return Outcome(code, said, wrong, time.monotonic() - begin)


def _hang(_signal, _frame):
    raise Hung


class Mutations:
    """An endless source of cases.

    Args:
        seed: of all of them.
        study: settings of a small study.
        comparison: settings of a small comparison.
        done: the folder of a finished study, whose finalist has weights.
        compared: the folder of a finished comparison.
        run: a run of the study, by its path.
    """

    def __init__(self, seed, study, comparison, done, compared, run):
        self.random = random.Random(seed)
        self.study, self.comparison = study, comparison
        self.done, self.compared, self.run = str(done), str(compared), str(run)
        self.kinds = (
            *(self.settings, self.settings, self.raw_file, self.option, self.option, self.option),
            *(self.variant, self.word, self.table, self.arrays, self.folder, self.fit),
            *(self.drawn, self.inspection),
        )

    def cases(self, count):
        """The first cases."""
        return [self._case() for _ in range(count)]

    def _case(self):
        case = self.random.choice(self.kinds)()
        # what a system can hand over: no lone surrogates, but bytes that are not UTF-8
        case.command = [word.replace("\ud800", "\udcff") for word in case.command]
        return case

    def value(self):
        pick = self.random.random()
        if pick < 0.5:
            return self.random.choice(VALUES)
        if pick < 0.9:
            return self.random.choice(TEXTS)
        return {"a": [self.value()]}

    def mutated(self, plain):
        """Settings with one or two values, names or places changed."""
        plain = json.loads(json.dumps(plain))
        for _ in range(self.random.choice((1, 1, 2))):
            holder, key = self.random.choice(list(_places(plain)))
            change = self.random.random()
            if change < 0.7 or not isinstance(holder, dict):
                holder[key] = self.value()
            elif change < 0.8:
                del holder[key]
            elif change < 0.9:
                holder[str(key) + self.random.choice("sx_-. ")] = holder.pop(key)
            else:
                holder[self.random.choice(TEXTS)] = self.value()
        return plain

    def command_of(self, kind):
        """A command that reads such settings, and trains nothing."""
        if kind == "compare":
            return ["compare", "--dry-run", "--config", "mine.yaml"]
        return self.random.choice(
            (["run", "--dry-run", "--config", "mine.yaml"], ["space", "mine.yaml"])
        )

    def settings(self):
        kind = self.random.choice(("run", "run", "compare"))
        plain = self.mutated(self.study if kind == "run" else self.comparison)
        try:
            text = yaml.safe_dump(plain, allow_unicode=True)
        except Exception:
            text = json.dumps(plain)
        return Case(self.command_of(kind), {"mine.yaml": text})

    def raw_file(self):
        """The text of a file, damaged."""
        kind = self.random.choice(("run", "compare"))
        text = yaml.safe_dump(self.study if kind == "run" else self.comparison)
        for _ in range(self.random.choice((1, 1, 2, 5))):
            at, to = sorted(self.random.randrange(len(text) + 1) for _ in range(2))
            change = self.random.random()
            if change < 0.4:
                text = text[:at] + self.random.choice(TEXTS) + text[at:]
            elif change < 0.6:
                text = text[:at] + text[to:]
            elif change < 0.8:
                text = (
                    text[:at] + self.random.choice("\t:-#&*!|>{}[],\0\x85\u2028") + text[at + 1 :]
                )
            else:
                text = text[:to] + text[at:to] * self.random.choice((1, 3)) + text[to:]
        content = text.encode("utf-8", "surrogatepass")
        if self.random.random() < 0.1:
            content = self.random.choice((b"\xff\xfe", b"\xef\xbb\xbf", b"\x80")) + content
        return Case(self.command_of(kind), {"mine.yaml": content})

    def option(self):
        """A command with an option, or an argument, of any value."""
        name, action = self.random.choice(self.options())
        value = str(self.random.choice((*TEXTS, *VALUES)))
        base = {
            "run": ["run", "--dry-run", "--config", "mine.yaml"],
            "compare": ["compare", "--dry-run", "--config", "mine.yaml"],
            "space": ["space", "mine.yaml"],
            "data": ["data", "mine.yaml", "--split", "missing"],
            "retrain": ["retrain", self.run, "--print_config"],
            "status": ["status", self.done],
            "leaderboard": ["leaderboard", self.done],
            "figures": ["figures", self.done],
            "attribution": ["attribution", self.done],
            "inspect": ["inspect", "swin_t", "--data", "noise", "--only", "missing"],
            "export": ["export", self.run, "--format", "nothing"],
            "cost": ["cost", "swin_t"],
            "blocks": ["blocks"],
            "papers": ["papers"],
        }[name]
        plain = self.study if name != "compare" else self.comparison
        given = [value]
        if action.option_strings:
            option = action.option_strings[-1]
            whole = self.random.random() < 0.5
            given = [f"{option}={value}"] if whole else [option, value]
            if action.nargs == 0:
                given = [option] if self.random.random() < 0.7 else [f"{option}={value}"]
        if self.random.random() < 0.05:
            given.append(self.random.choice(TEXTS))
        if not action.option_strings and name in (
            "status",
            "leaderboard",
            "figures",
            "attribution",
        ):
            base = base[:1]
        return Case([*base, *given], {"mine.yaml": yaml.safe_dump(plain)})

    def options(self):
        from search.cli.commands import COMMANDS

        if not hasattr(self, "_options"):
            self._options = [
                (name, action)
                for name, command in COMMANDS.items()
                if name != "work"  # it waits for a study that has not begun
                for action in command.parser(name)._actions
                if not {"--help", "--print-config"} & set(action.option_strings)
            ]
        return self._options

    def variant(self):
        text = yaml.safe_dump(self.mutated(_VARIANT))
        return Case(["cost", "variant.yaml"], {"variant.yaml": text})

    def word(self):
        """A block word of parts and marks."""
        parts = ("w_msa", "sw_msa", "conv", "mdta", "sum", "gate", "kernel", "heads", "window")
        marks = ("+", ":", "(", ")", ";", "=", ",", " ", "5", "-1", "1e400", "9" * 30, "é", "\0")
        if self.random.random() < 0.5:
            word = "".join(
                self.random.choice(parts if self.random.random() < 0.5 else marks)
                for _ in range(self.random.randrange(1, 9))
            )
        else:
            from hybrid_swin.spec import registry

            kind = self.random.choice(("branch", "fusion"))
            name = self.random.choice(list(registry.names(kind)))
            options = list(registry.describe(kind, name).options)
            option = self.random.choice(options or ["x"])
            part = f"{name}({option}={self.random.choice((*TEXTS, *map(str, VALUES)))})"
            word = part if kind == "branch" else f"w_msa+conv:{part}"
        return Case(["cost", f"--image-size={self.random.choice((32, 64))}", word])

    def fit(self):
        from hybrid_swin.__main__ import COMMANDS, make_parser

        if not hasattr(self, "_fit"):
            self._fit = [(name, a) for name in COMMANDS for a in make_parser(name)._actions]
        name, action = self.random.choice(self._fit)
        base = {
            "fit": ["fit", "--variant", "variant.yaml", "--folder", "out"],
            "export": ["export", self.run, "--format", "nothing"],
            "predict": ["predict", "missing", "--output", "a.csv"],
        }.get(name, [name, "missing"])
        value = str(self.random.choice((*TEXTS, *VALUES)))
        option = action.option_strings[-1] if action.option_strings else None
        given = [value] if option is None else [option] if action.nargs == 0 else [option, value]
        if action.option_strings and action.option_strings[-1] == "--help":
            given = [value]
        files = {"variant.yaml": yaml.safe_dump(_VARIANT)}
        return Case([*base, *given], files, door="train")

    def table(self):
        """A table of images: cells and lines changed."""
        rows = [["path", "label", "split", "group"]]
        rows += [
            [f"{i}.png", "ab"[i % 2], ("train", "validation", "test")[i // 2 % 3], str(i // 4)]
            for i in range(24)
        ]
        for _ in range(self.random.choice((1, 2, 12))):
            row = self.random.choice(rows)
            if self.random.random() < 0.8 and row:
                row[self.random.randrange(len(row))] = self.random.choice(TEXTS)
            else:
                row.append(self.random.choice(TEXTS))
        mark = self.random.choice((",", ",", ",", "\t", ";"))
        text = "\n".join(mark.join(row) for row in rows)
        if self.random.random() < 0.2:
            at = self.random.randrange(len(text))
            text = text[:at] + self.random.choice(('"', "\0", "\r", '"' * 3)) + text[at:]
        files = {f"images/{i}.png": _png(i) for i in range(24)}
        files["images/labels.csv"] = text
        return self.fit_on(files, "folder", "images")

    def folder(self):
        """A folder of images, with classes and files of any kind."""
        files = {f"images/{'ab'[i % 2]}/{i}.png": _png(i) for i in range(24)}
        for _ in range(3):
            name = self.random.choice(list(files))
            content = files[name]
            change = self.random.random()
            if change < 0.4:
                files[name] = content[: self.random.randrange(len(content) + 1)]
            elif change < 0.6:
                at = self.random.randrange(len(content) + 1)
                files[name] = content[:at] + b"\xff" * 9 + content[at + 9 :]
            else:
                names = ("Train/x", "tset/x", "a/é\u202e", "c/=1+1", " /x", "a/x.txt", ".hidden/x")
                files[f"images/{self.random.choice(names)}.png"] = _png(99)
        return self.fit_on(files, "folder", "images")

    def arrays(self):
        """Arrays with odd types, shapes and names."""
        rng = np.random.default_rng(self.random.randrange(9))
        arrays = {
            "train_images": rng.integers(0, 255, (24, 8, 8)).astype(np.uint8),
            "train_labels": np.arange(24) % 2,
        }
        name = self.random.choice(list(arrays))
        odd = (
            lambda a: a.astype(float) * np.nan,
            lambda a: a.astype(complex),
            lambda a: a.astype(str),
            lambda a: a[..., None, None, None],
            lambda a: a[:0],
            lambda a: a[:7],
            lambda a: np.array(5),
            lambda a: a.astype(np.int64) - 10**18,
            lambda a: a.astype("datetime64[s]"),
            lambda a: a.astype(object),
            lambda a: a.astype(bool),
            lambda a: np.zeros(24, dtype=[("a", int)]),
        )
        arrays[name] = self.random.choice(odd)(arrays[name])
        if self.random.random() < 0.2:
            arrays[self.random.choice(("label", "test_images", "spilt", "é", "train_groups"))] = 1
        file = io.BytesIO()
        np.savez(file, **arrays)
        content = file.getvalue()
        change = self.random.random()
        if change < 0.15:
            content = content[: self.random.randrange(len(content) + 1)]
        elif change < 0.3:
            at = self.random.randrange(len(content) + 1)
            content = content[:at] + b"\xff\x00\x7f" + content[at + 3 :]
        elif change < 0.35:
            made = io.BytesIO()
            with zipfile.ZipFile(made, "w") as archive:
                archive.writestr("train_images.npy", b"no array")
                archive.writestr("train_labels.npy", b"\x93NUMPY\x01\x00\xff\xff{'descr': x")
            content = made.getvalue()
        return self.fit_on({"images.npz": content}, "npz", "images.npz")

    def drawn(self):
        """A source that draws its images, with an option of any value."""
        from hybrid_swin.spec import registry

        source = self.random.choice(("constellation", "context_xor", "cue_conflict"))
        options = {"train": 12, "validation": 12, "test": 12}
        for name in self.random.sample(list(registry.describe("data source", source).options), 2):
            small = self.random.random() < 0.6
            number = self.random.choice((0, 1, 2, 3, 7, 64, 1000, 10**4, 2**31, 0.5, -1))
            options[name] = number if small else self.value()
        config = {**self.study, "data": {"source": source, "options": options}}
        config["variant"] = {**config["variant"], "image_size": 16, "num_classes": 2}
        text = yaml.safe_dump(config, allow_unicode=True)
        return Case(["run", "--dry-run", "--config", "mine.yaml"], {"mine.yaml": text})

    def inspection(self):
        """An inspection with an option of any value, of a network without weights."""
        from hybrid_swin.spec import registry

        name = self.random.choice(list(registry.names("inspection")))
        options = list(registry.describe("inspection", name).options) or ["x"]
        word = f"{name}({self.random.choice(options)}={self.random.choice((*TEXTS, *VALUES))})"
        if self.random.random() < 0.2:
            word += self.random.choice(TEXTS)
        command = ["inspect", "v.yaml", "--data", "noise", "--images", "2", "--only", word]
        return Case(command, {"v.yaml": yaml.safe_dump(_VARIANT)})

    def fit_on(self, files, source, path):
        # equal settings are loaded once in a process, so that every case has a name of its own
        own = f"{self.random.randrange(10**9)}-{path}"
        files = {name.replace(path, own, 1): content for name, content in files.items()}
        path = own
        variant = {**_VARIANT, "num_classes": 2}
        command = ["fit", "--variant", "v.yaml", "--data.source", source]
        command += ["--data.options.path", path, "--folder", "out"]
        return Case(command, {**files, "v.yaml": yaml.safe_dump(variant)}, door="train")


_VARIANT = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": 10,
    "patch_size": 1,
    "window_size": 4,
    "mlp_ratio": 2.0,
    "stages": [
        {"width": 8, "depth": 2, "num_heads": 2, "blocks": ["w_msa", "sw_msa"]},
        {"width": 16, "depth": 1, "num_heads": 2, "blocks": ["conv(kernel=3)+mdta:gate"]},
    ],
}


def _png(seed):
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _places(plain):
    """Each (holder, key) of nested mappings and lists."""
    items = plain.items() if isinstance(plain, dict) else enumerate(plain)
    for key, value in list(items):
        yield plain, key
        if isinstance(value, dict | list):
            yield from _places(value)


def stop_before_work(patch):
    """Let every command end where it would start workers, train or measure."""
    from hybrid_swin.training import fit as training

    def stop(*given, **named):
        raise Stopped

    class NoWorkers:
        slots, nodes, waiting = 1, (), ""

        def __init__(self, *given):
            pass

        def wait_until_ready(self, timeout=0):
            raise Stopped

        def close(self, whole=False):
            pass

    patch.setattr("search.execution.executors.local.LocalExecutor", NoWorkers)
    patch.setattr(training, "fit", stop)
    patch.setattr("search.cli.cost.measured.peak_memory", stop)
    patch.setattr("search.cli.cost.measured.compare_times", stop)
    patch.setattr("hybrid_swin.system.console.Console.print", lambda *given, **named: None)


def folder_of(root, index):
    """A new folder for one case."""
    folder = Path(root) / str(index)
    folder.mkdir()
    return folder
