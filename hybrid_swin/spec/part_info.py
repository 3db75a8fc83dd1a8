"""What the source of a part, such as a branch or an augmentation, says, read by ``ast``.

What a part is called, which options it takes and what their defaults are: validation, identities
and ``--help`` need neither torch nor the user's code to run.
"""

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from hybrid_swin.errors import InputError, unknown
from hybrid_swin.spec.options import Option, Sides, spell

PartKind = Literal[
    "branch", "fusion", "data source", "inspection", "augmentation", "optimizer", "schedule"
]

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class KindTable:
    """Where a kind lives and what its classes look like."""

    folder: str
    place: str  # where a word of it is written
    bases: tuple[str, ...]
    contract: tuple[str, ...]  # arguments of __init__ that the builder gives; the rest are options
    constants: tuple[str, ...] = ()  # class attributes that validation reads
    shared: Mapping[str, str] = field(default_factory=dict)  # abstract classes and their files
    common: tuple[Option, ...] = ()  # that the builder sees to, not the class
    common_where: str = ""  # the constant of the parts that take these; empty: all do


GATES = "none", "se", "eca", "grn"  # behind any fusion: `network.output_gates`

TABLES: dict[PartKind, KindTable] = {
    "branch": KindTable(
        "network/branches",
        "a block word, as in w_msa+{}",
        ("Branch", "WindowAttention", "ConvolvedAttention"),
        ("dim", "num_heads", "window_size", "grid_size"),
        ("gates_values", "has_windows", "limits", "min_width", "divides_heads", "mixes_by"),
        {
            "WindowAttention": "network/branches/_window_attention.py",
            "ConvolvedAttention": "network/branches/_convolved_attention.py",
        },
        (Option("window_size", Sides),),
        "has_windows",
    ),
    "fusion": KindTable(
        "network/fusions",
        "a block word, as in w_msa+mdta:{}",
        ("Fusion",),
        ("dim", "num_heads", "makers"),
        (
            "min_branches",
            "max_branches",
            "ordered",
            "symmetric",
            "per_branch",
            "heads_per_branch",
            "halves_heads",
            "limits",
            "needs_value_gate",
        ),
        common=(Option("gate", None, GATES, "none"),),
    ),
    "data source": KindTable("data/sources", "data.source", ("Source",), ()),
    "inspection": KindTable(
        "inspection/methods", "inspect --only", ("Inspection",), (), ("needs_labels",)
    ),
    "augmentation": KindTable(
        "training/augmentations",
        "recipe.augmentations",
        ("Augmentation",),
        (),
        ("limits", "needs_values"),
    ),
    "optimizer": KindTable(
        "training/optimizers",
        "recipe.optimizer",
        ("OptimizerFactory",),
        (),
        ("limits", "unused", "needs_torch"),
    ),
    "schedule": KindTable(
        "training/schedules", "recipe.schedule", ("Schedule",), (), ("limits", "unused")
    ),
}
_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
_REQUIRED = object()
_TEXT = re.compile(r".+")


@dataclass(frozen=True)
class PartInfo:
    """What the source of a part says about it."""

    kind: PartKind
    name: str
    file: Path
    class_name: str
    summary: str
    options: Mapping[str, Option]
    constants: Mapping[str, Any] = field(default_factory=dict)
    plugin_hash: str = ""  # of the source, for plug-ins only
    common: tuple[str, ...] = ()  # of the options, those that the class does not know of

    def check_options(self, given: Mapping[str, Any], where: str | None = None) -> dict[str, Any]:
        """The given options, typed; raises InputError on an unknown, wrong or missing one."""
        where = where or self.name
        for key in given:
            if key not in self.options:
                raise unknown(f"option of {where}", key, self.options)
        for option in self.options.values():
            if option.required and option.name not in given:
                raise InputError(
                    f"{where}: option {option.name!r} is missing; give {option.allowed}"
                )
        typed = {key: self.options[key].check(value, where) for key, value in given.items()}
        for key, (low, high) in self.constants.get("limits", {}).items():
            value = typed.get(key, low)
            ends = value if isinstance(value, list) else (value,)
            if not all(low <= end <= high for end in ends):
                raise InputError(
                    f"{where}: option {key}={spell(given[key])} is not possible; give "
                    f"{self.options[key].numbers} from {low:g} to {high:g}"
                )
        return typed

    def read_options(
        self, text: str | None, where: str, values: re.Pattern[str] = _TEXT
    ) -> dict[str, Any]:
        """The options between the brackets of a word, ``key=value;key=value``, typed.

        No brackets are None. Raises InputError that says where, also for a value of other letters.
        """
        given: dict[str, Any] = {}
        for item in () if text is None else text.split(";"):
            key, equals, value = (piece.strip() for piece in item.partition("="))
            if not key.isidentifier() or not equals or not values.fullmatch(value):
                raise InputError(
                    f"{where}: separate options by ';', not by ','"
                    if "," in item
                    else f"{where}: {item.strip()!r} is not an option; write key=value"
                )
            if key in given:
                raise InputError(f"{where}: option {key!r} is given twice")
            given[key] = self.options[key].read(value) if key in self.options else value
        typed = self.check_options(given)
        return {k: tuple(v) if isinstance(v, list) else v for k, v in typed.items()}


def classes_in(file: Path, kind: PartKind) -> list[ast.ClassDef]:
    """The classes in a file that derive directly from the base of a kind."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError) as error:
        raise InputError(f"{file.name}: cannot be read as Python: {error}") from error
    bases = TABLES[kind].bases
    return [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and any(_last_name(b) in bases for b in node.bases)
    ]


def read_part(file: Path, kind: PartKind, is_plugin: bool) -> PartInfo:
    """What the one class of a kind in a file says. Raises InputError where it cannot be used."""
    classes = classes_in(file, kind)
    if len(classes) != 1:
        raise InputError(
            f"{file.name}: expected exactly one class deriving directly from "
            f"{TABLES[kind].bases[0]}, found {len(classes)}"
        )
    node = classes[0]
    constants: dict[str, Any] = {}
    options: dict[str, Option] = {}
    for source, owner in (*_parents(node, kind), (file, node)):  # what comes last counts
        constants |= {
            name: _literal(value, f"{source.name}: {name}")
            for name, value in _assignments(owner)
            if name in TABLES[kind].constants
        }
        for item in owner.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                others = options if item.args.kwarg else {}  # **others: the abstract class's
                options = others | _options(item, kind, source)
    summary = (ast.get_docstring(node) or "").split("\n")[0]
    hashed = digest(file.read_bytes()) if is_plugin else ""
    table = TABLES[kind]
    takes = not table.common_where or constants.get(table.common_where)
    common = {o.name: o for o in table.common if takes and o.name not in options}
    known = options | common
    own = file.stem, file, node.name, summary
    return PartInfo(kind, *own, known, constants, hashed, tuple(common))


def digest(source: bytes) -> str:
    """Ten hex digits over a source, or the canonical form of a variant or recipe."""
    return hashlib.sha256(source).hexdigest()[:10]


def _parents(node: ast.ClassDef, kind: PartKind) -> Iterator[tuple[Path, ast.ClassDef]]:
    """The abstract class that parts of a kind share, with its file: options may stand there."""
    for base in node.bases:
        shared = TABLES[kind].shared.get(_last_name(base))
        if shared:
            yield from ((PACKAGE / shared, item) for item in classes_in(PACKAGE / shared, kind))


def _assignments(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    """The class attributes that are given a value, as their names and expressions."""
    for item in node.body:
        if isinstance(item, ast.Assign | ast.AnnAssign) and item.value is not None:
            for target in item.targets if isinstance(item, ast.Assign) else [item.target]:
                if isinstance(target, ast.Name):
                    yield target.id, item.value


def _options(init: ast.FunctionDef, kind: PartKind, file: Path) -> dict[str, Option]:
    """The arguments of __init__ behind the contract's own, which must come first."""
    contract = TABLES[kind].contract
    given = [a.arg for a in init.args.args[1:]]
    if tuple(given[: len(contract)]) != contract:
        raise InputError(
            f"{file.name}: __init__ of a {kind} must take (self, "
            f"{', '.join(contract)}, then its options); it takes ({', '.join(given)})"
        )
    positional = init.args.args[1 + len(contract) :]
    padding: list[Any] = [_REQUIRED] * (len(init.args.args) - len(init.args.defaults))
    defaults = (padding + list(init.args.defaults))[1 + len(contract) :]
    pairs = [
        *zip(positional, defaults, strict=True),
        *zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True),
    ]
    return {arg.arg: _option(arg, default, file) for arg, default in pairs}


def _option(arg: ast.arg, default: Any, file: Path) -> Option:
    required = default is _REQUIRED or default is None  # ast gives None for "no default" by keyword
    where = f"{file.name}: option {arg.arg!r}"
    value = None if required else _literal(default, f"the default of {where}")
    annotation = arg.annotation
    # `X | None`: the type is X, and None means "not given".
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        annotation = annotation.left
    if isinstance(annotation, ast.Subscript) and _last_name(annotation.value) == "Literal":
        inside = annotation.slice
        elements = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        choices = tuple(_literal(e, where) for e in elements)
        return Option(arg.arg, None, choices, value, required)
    if annotation is not None and ast.unparse(annotation) == "tuple[float, float]":
        return Option(arg.arg, tuple, (), value, required)
    if isinstance(annotation, ast.Name) and annotation.id == "Window":
        sides = Option(arg.arg, Sides, (), None, required)
        return replace(sides, default=None if value is None else sides.check(value, where))
    if isinstance(annotation, ast.Name) and annotation.id in _TYPES:
        return Option(arg.arg, _TYPES[annotation.id], (), value, required)
    if annotation is not None:
        return Option(arg.arg, None, (), value, required)
    raise InputError(f"{where} needs a type: bool, int, float, str, Window or Literal[...]")


def _literal(node: ast.expr, what: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise InputError(
            f"{what} must be a literal such as 3 or 'text', since the file is read, not run; "
            f"it is {ast.unparse(node)}"
        ) from None


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
