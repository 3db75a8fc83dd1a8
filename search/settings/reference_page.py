"""The reference of settings, docs/settings.md, written from the types and docstrings.

::

    python -m search.settings.reference_page docs/settings.md

A setting is described once, in its class: a test compares the page with what this module writes.
"""

import ast
import re
import sys
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from hybrid_swin.data.settings import DataSettings
from hybrid_swin.spec import registry
from hybrid_swin.spec.options import Option, Sides
from hybrid_swin.spec.recipe import Recipe
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.options import explained_arguments, explained_fields
from search.settings.claims import ClaimSettings
from search.settings.comparison import (
    ArmSettings,
    ComparisonSettings,
    MatchSettings,
    PrimarySettings,
)
from search.settings.executor import executor_module, executor_names
from search.settings.experiment import ObjectiveSettings, WorkerSettings
from search.settings.study import (
    BaselineSettings,
    BudgetSettings,
    FinalistSettings,
    RungSettings,
    SamplerSettings,
    StudyObjective,
    StudySettings,
)
from search.settings.wandb import WandbSettings

_HEAD = """# Settings

Every setting of a study and of a comparison: its name, type, default and meaning. This page is
written from the docstrings by `python -m search.settings.reference_page docs/settings.md`.

A setting stands in a YAML file. On the command line it is an option with the same name:
`--trials 60`, `--sampler.name tpe`, `--data.options '{path: photos}'`.

Of several `--config` files the later ones change the earlier ones; options change them all, and so
do keywords in Python. A mapping (`recipe`, `data.options`, `finalists`, ...) changes the names that
it gives and leaves the others. Three things are replaced whole: a list, such as `variant.stages`; a
value of the space, such as `{choose: [1, 2]}`; and with another `data.source` or `data.class_path`
the `data.options` and `data.init_args` of the earlier one. To take a name out, change a copy of the
file.
"""
_SECTIONS: tuple[tuple[str, str, type], ...] = (
    ("A study", "", StudySettings),
    ("A study: what is improved", "objective.", StudyObjective),
    ("A study: what a network may cost", "budget.", BudgetSettings),
    ("A study: baselines", "baselines[].", BaselineSettings),
    ("A study: who proposes", "sampler.", SamplerSettings),
    ("A study: stopping early", "rungs.", RungSettings),
    ("A study: finalists", "finalists.", FinalistSettings),
    ("A comparison", "", ComparisonSettings),
    ("A comparison: what is measured", "objective.", ObjectiveSettings),
    ("A comparison: arms", "arms[].", ArmSettings),
    ("A comparison: equal cost", "match.", MatchSettings),
    ("A comparison: the primary question", "primary.", PrimarySettings),
    ("A comparison: what papers report", "published[].", ClaimSettings),
    ("Data", "data.", DataSettings),
    ("The network", "variant.", Variant),
    ("The network: a stage", "variant.stages[].", Stage),
    ("The recipe", "recipe.", Recipe),
    ("Workers", "workers.", WorkerSettings),
    *(
        (f"Executor: {name}", "executor.", executor_module(name).Options)
        for name in executor_names()
        if fields(executor_module(name).Options)
    ),
    ("Weights & Biases", "wandb.", WandbSettings),
)
_WORDS: tuple[tuple[str, registry.PartKind, str], ...] = (
    (
        "Branches",
        "branch",
        "Options stand in brackets: `conv(kernel=7)`. Branches that have windows, `w_msa`, "
        "`sw_msa`, `grid` and `overlap`, take one more, `window_size`: tokens per side, such as "
        "`4`, or height x width, such as `7x9`, instead of the stage's.",
    ),
    (
        "Fusions",
        "fusion",
        "Options stand in brackets: `w_msa+mdta:gate(per=pixel)`. Every fusion takes one more, "
        "`gate`: `none` (the default), `se`, `eca` or `grn`, which stands behind it.",
    ),
    (
        "Augmentations",
        "augmentation",
        "Words of the list `recipe.augmentations`.",
    ),
    (
        "Optimizers",
        "optimizer",
        "The word of `recipe.optimizer`, with options in brackets: `adamw(beta2=0.95)`.",
    ),
    (
        "Schedules",
        "schedule",
        "The word of `recipe.schedule`.",
    ),
)
_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false"}
_COLUMNS = ("setting", "type", "default", "what it is")


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD]
    for title, prefix, owner in _SECTIONS:
        parts.append(f"## {title}\n\n{_table(_COLUMNS, _rows(prefix, owner))}")
    rows = (row for name in registry.names("data source") for row in _source_rows(name))
    parts.append(f"## Data sources\n\n{_table(('source', *_COLUMNS), rows)}")
    for title, kind, example in _WORDS:
        words = (_word_row(kind, name) for name in registry.names(kind))
        table = _table((kind, "what it is", "options"), words)
        parts.append(f"## {title}\n\n{example}\n\n{table}")
    return "\n".join(parts)


def _rows(prefix: str, owner: type) -> Iterator[Sequence[str]]:
    """One row per setting; what has a section of its own is named there."""
    documented, hints = explained_fields(owner), get_type_hints(owner)
    for field in fields(owner):
        name = f"`{prefix}{field.name}`"
        yield name, _type(hints[field.name]), _default(field), _line(documented.get(field.name, ""))


def _line(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")


def _type(hint: Any) -> str:
    """A type in words that someone who writes YAML knows."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(some) for some in inner if some is not type(None))
    if origin in (tuple, list, Sequence):
        if len(inner) == 2 and inner[1] is not ...:
            return "two numbers"
        return f"list of {_plural(_type(inner[0]))}" if inner else "list"
    if origin in (dict, Mapping):
        return "mapping"
    if isinstance(hint, type) and is_dataclass(hint):
        return "see below"
    return _NAMES.get(hint, "any")


def _plural(name: str) -> str:
    return {"see below": "mappings, see below", "any": "values"}.get(name) or (
        name if "`" in name else f"{name}s"
    )


def _default(field: "Field[Any]") -> str:
    if field.default is MISSING and field.default_factory is MISSING:
        return "required"
    value = field.default
    if field.default_factory is not MISSING:
        value = field.default_factory()
    return "" if is_dataclass(value) else _spelt(value)


def _spelt(value: Any) -> str:
    """A default as YAML spells it; nothing for what is left out."""
    if value is None or value in ("", (), [], {}):
        return ""
    if isinstance(value, tuple):
        value = list(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


def _source_rows(name: str) -> Iterator[Sequence[str]]:
    entry = registry.describe("data source", name)
    documented = explained_arguments(_docstring(entry.file, entry.class_name))
    for option in entry.options.values():
        default = "required" if option.required else _spelt(option.default)
        words = _line(documented.get(option.name, ""))
        setting = f"`data.options.{option.name}`"
        yield f"`{name}`", setting, _option_type(option), default, words


def _word_row(kind: registry.PartKind, name: str) -> Sequence[str]:
    entry = registry.describe(kind, name)
    options = (
        f"`{o.name}`: {_option_type(o)} (default {_spelt(o.default)})"
        for o in entry.options.values()
        if o.name not in entry.common
    )
    return f"`{name}`", _line(entry.summary), "<br>".join(options)


def _docstring(file: Path, class_name: str) -> str:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == class_name]
    return ast.get_docstring(classes[0]) or ""


def _option_type(option: Option) -> str:
    if option.choices:
        return ", ".join(f"`{yaml.safe_dump(c).split(chr(10))[0]}`" for c in option.choices)
    if option.type is Sides:
        return "whole number, or two such as `7x9`"
    return "two numbers" if option.type is tuple else _NAMES.get(option.type or str, "text")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def main(arguments: Sequence[str]) -> None:
    """Write the page to the file that is named, or print it."""
    text = re.sub(r" +\n", "\n", page())
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main(sys.argv[1:])
