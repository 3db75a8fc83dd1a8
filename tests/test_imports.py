"""Who may import what: read from the sources by ast, and seen in fresh processes."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for package in ("hybrid_swin", "search")
    for file in sorted((ROOT / package).rglob("*.py"))
}

# From the ground up: a folder imports only from itself and from those before it.
LAYERS = {
    "hybrid_swin": [
        *("errors", "system", "spec", "cost", "network", "data", "interop", "training"),
        *("profiling", "inspection", "__main__"),
    ],
    "search": [
        *("settings", "statistics", "records", "space", "execution", "study", "leaderboard"),
        *("reporting", "comparison", "launch", "cli"),
    ],
}
# Packages that only these modules know.
KNOWN_TO = {
    "optuna": (
        "search.study.sampling.study",
        "search.study.sampling.samplers",
        "search.study.sampling.sampler_view",
        "search.study.sampling.database",
        "search.study.sampling.gaussian_process",
        "search.study.sampling.storage",
        "search.study.sampling.journal_backend",
    ),
    "wandb": tuple(f"search.reporting.wandb.{name}" for name in ("mirror", "inspection", "run")),
    "ray": tuple(f"search.execution.ray_cluster.{name}" for name in ("actor", "cluster", "slot")),
}


@cache
def imports(module, *, always=False):
    """What a module imports, also inside functions; `always`: only what it imports at once."""

    def walk(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if always and isinstance(child, ast.FunctionDef):
                continue
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{module} imports relatively"
                for alias in child.names:
                    name = f"{child.module}.{alias.name}"
                    yield name if name in MODULES else child.module
            yield from walk(child)

    return frozenset(walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))))


def layer(module):
    """The package and the folder in it, as a position from the ground up."""
    package, *inside = module.split(".")
    return list(LAYERS).index(package), LAYERS[package].index(inside[0]) if inside else 99


def test_the_walk_sees_imports():
    assert "hybrid_swin.errors" in imports("hybrid_swin.spec.registry")
    assert "search.launch.start" in imports("search.cli.experiments")
    assert "search.launch.start" not in imports("search.cli.experiments", always=True)
    assert "hybrid_swin.spec.variant" not in imports("hybrid_swin.cost")


@pytest.mark.parametrize("package", LAYERS)
def test_every_folder_is_a_layer_and_the_top_has_few(package):
    files = {file.relative_to(ROOT / package).parts[0] for file in (ROOT / package).rglob("*.py")}
    top = {name.removesuffix(".py") for name in files}
    assert top == {"__init__", *LAYERS[package]}
    assert len(top) <= 12
    for folder in (ROOT / package).rglob("*"):
        if folder.is_dir() and any(folder.glob("*.py")):
            assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder


def test_the_networks_know_nothing_of_the_search():
    networks = [module for module in MODULES if module.startswith("hybrid_swin")]
    assert len(networks) > 100
    assert not [
        (module, i)
        for module in networks
        for i in imports(module)
        if i.split(".")[0] in ("search", *KNOWN_TO)
    ]


def test_imports_run_downwards():
    assert not [
        (module, i)
        for module in MODULES.keys() - LAYERS.keys()  # a package's top gives names from all of it
        for i in imports(module) & MODULES.keys() - LAYERS.keys()
        if layer(i) > layer(module)
    ]


def test_no_imports_run_in_a_circle():
    done = set()

    def follow(module, path):
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for name in sorted(imports(module) & MODULES.keys() - {module}):
                follow(name, [*path, module])
            done.add(module)

    for module in MODULES:
        follow(module, [])


@pytest.mark.parametrize("package", KNOWN_TO)
def test_what_may_change_is_known_to_few(package):
    knowing = {m for m in MODULES if package in {i.split(".")[0] for i in imports(m)}}
    assert knowing == set(KNOWN_TO[package])


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("hybrid_swin.network.model", set()),
        ("search.launch.study", {"matplotlib"}),
        ("search.launch.comparison", {"matplotlib"}),
    ],
)
def test_only_what_trains_waits_for_lightning(module, others):
    """A study's own process does not: its workers import it meanwhile. It draws at its end."""
    needed, found = [module], set()
    while needed:
        module = needed.pop()
        found.add(module)
        needed += (imports(module, always=True) & MODULES.keys()) - found
    assert len(found) > 15
    for module in found:
        assert not ({"lightning", "torchmetrics"} | others) & {
            i.split(".")[0] for i in imports(module, always=True)
        }


def test_the_door_is_an_import_and_a_guard():
    body = ast.parse((ROOT / "search.py").read_text()).body
    assert [type(node) for node in body] == [ast.Expr, ast.ImportFrom, ast.If]


# In fresh processes

HEAVY = (
    "torch",
    "matplotlib",
    "lightning",
    "optuna",
    "wandb",
    "sklearn",
    "scipy",
    "torchmetrics",
    "ray",
)
LIGHT = [
    "hybrid_swin",
    "search",
    "hybrid_swin.spec.registry",
    "hybrid_swin.spec.block_words",
    "hybrid_swin.spec.variant",
    "hybrid_swin.spec.published",
    "hybrid_swin.cost",
    "hybrid_swin.cost.width_solver",
    "hybrid_swin.interop.export.options",
    "hybrid_swin.spec.recipe",
    "hybrid_swin.data.settings",
    "search.settings.study",
    "search.settings.reading",
    "search.settings.given",
    "search.leaderboard.row_table",
    "search.settings.comparison",
    "search.cli.options",
    "search.cli.inspect.options",
    "search.cli.data.options",
    "search.cli.status",
    "hybrid_swin.inspection.request",
    "search.space.space",
    "search.space.survey",
    "search.space.budget",
    "search.study.rungs",
    "search.cli.main",
    "search.execution.forked_workers",
]


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_answers_at_once_imports_nothing_heavy():
    code = f"""
import importlib, sys
for module in {LIGHT}:
    importlib.import_module(module)
    heavy = set(sys.modules) & set({HEAVY})
    assert not heavy, (module, heavy)
from hybrid_swin.spec.published import published
from search.space.space import Space
variant = published("swin_t")
assert variant.id
Space(variant.to_dict(), dict(epochs=3))
assert not set(sys.modules) & set({HEAVY}), "reading a variant"
print("light")
"""
    assert run(code) == "light\n"


COMMANDS = [
    (["--help"], "python search.py leaderboard"),
    (["run", "--help"], "--finalists.seeds"),
    (["run", "--print_config"], "trials: "),
    (["blocks"], "w_msa"),
    (["cost", "w_msa+mdta:gate"], "MACs"),
    (["space"], "within budget"),
    (["papers", "--time", "none"], "Swin, 2021"),
    (["compare", "--help"], "--match.tolerance"),
    (["compare", "--sedes", "3"], ""),
    (["inspect", "--help"], "--only"),
    (["data", "--help"], "--columns"),
    (["attribution", "--help"], "--interactions"),
    (["run", "--trails", "3"], ""),
    (["run", "--config", "none.yaml"], ""),
]


def test_commands_that_train_nothing_import_nothing_heavy():
    code = f"""
import contextlib, io, runpy, sys
for arguments, expected in {COMMANDS}:
    sys.argv = ["search.py", *arguments]
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path("search.py", run_name="__main__")
    except SystemExit as end:
        assert end.code in (0, None, 2), (arguments, end.code)
    heavy = set(sys.modules) & set({HEAVY})
    assert not heavy, (arguments, heavy)
    assert expected in said.getvalue(), (arguments, said.getvalue())
print("light")
"""
    assert run(code) == "light\n"
