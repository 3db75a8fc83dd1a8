"""Who may import what: read from the sources by ast, and seen in fresh processes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for package in ("hybrid_swin", "search")
    for file in sorted((ROOT / package).rglob("*.py"))
}

# From the ground up: a module imports only from its own line and those above it.
ORDER = [
    ["hybrid_swin.errors.plain_text"],
    ["hybrid_swin.errors"],
    ["hybrid_swin.spec.ranges"],
    ["hybrid_swin.spec.options", "hybrid_swin.system.yaml_files", "hybrid_swin.system.files"],
    ["hybrid_swin.spec.window_rules"],
    ["hybrid_swin.spec.registry", "hybrid_swin.spec.recipe"],
    ["hybrid_swin.spec.block_words", "hybrid_swin.data.settings", "hybrid_swin.cost.formulas"],
    ["hybrid_swin.spec.head_shares"],
    ["hybrid_swin.spec.nominal_words", "hybrid_swin.spec.variant_values"],
    ["hybrid_swin.spec.stage"],
    ["hybrid_swin.spec.variant", "hybrid_swin.cost"],
    ["hybrid_swin.spec.fitting"],
    ["hybrid_swin.spec.run_reference"],
    ["hybrid_swin.spec.published", "hybrid_swin.cost.stage_shapes", "hybrid_swin.network.tracing"],
    ["hybrid_swin.spec.pretrained_windows"],
    ["hybrid_swin.spec.other_names"],
    ["hybrid_swin.spec.variant_changes"],
    ["hybrid_swin.network.timm_facts"],
    ["hybrid_swin.network.windows", "hybrid_swin.network.bare_layers"],
    [
        "hybrid_swin.cost.width_solver",
        "hybrid_swin.cost.variant_files",
        "hybrid_swin.network.depthwise",
    ],
    [
        "hybrid_swin.network.resizing",
        "hybrid_swin.network.head",
        "hybrid_swin.network.feature_info",
    ],
    ["hybrid_swin.network.branches", "hybrid_swin.network.branches._window_attention"],
    ["hybrid_swin.network.fusions"],
    ["hybrid_swin.network.block", "hybrid_swin.network.patches"],
    ["hybrid_swin.network.first_weights"],
    ["hybrid_swin.spec.kept_windows"],
    ["hybrid_swin.network.backbone"],
    ["hybrid_swin.network.model"],
    ["hybrid_swin.inspection.subject", "hybrid_swin.inspection.measures.token_support"],
    ["hybrid_swin.inspection"],
    ["hybrid_swin.inspection.runner"],
    ["hybrid_swin.network.pyramid"],
    ["hybrid_swin.network.network_facts"],
    ["hybrid_swin.interop.weights.whole_tensors"],
    ["hybrid_swin.interop.weights.files", "hybrid_swin.interop.weights.version"],
    ["hybrid_swin.interop.weights.layouts"],
    ["hybrid_swin.interop.weights.networks", "hybrid_swin.interop.weights.rules"],
    ["hybrid_swin.interop.weights.configs", "hybrid_swin.interop.weights.own_variant"],
    ["hybrid_swin.interop.weights.judging"],
    ["hybrid_swin.interop.weights.source", "hybrid_swin.interop.weights.mixers"],
    ["hybrid_swin.interop.weights.completeness"],
    [
        "hybrid_swin.interop.weights.differences",
        "hybrid_swin.interop.weights.outside",
        "hybrid_swin.interop.weights.probe",
        "hybrid_swin.interop.weights.shell",
    ],
    ["hybrid_swin.interop.weights.own_differences"],
    ["hybrid_swin.interop.weights.block_differences"],
    [
        "hybrid_swin.interop.weights.plan",
        "hybrid_swin.interop.weights.following",
        "hybrid_swin.interop.weights.spelling",
    ],
    ["hybrid_swin.interop.weights.map_classes"],
    ["hybrid_swin.interop.weights.other_sizes"],
    ["hybrid_swin.interop.weights.load_save", "hybrid_swin.interop.surgery"],
    ["hybrid_swin.network.contract", "hybrid_swin.training.classifier"],
    ["hybrid_swin.training.fit"],
    ["hybrid_swin.interop.trained"],
    ["hybrid_swin.interop.variant_sources"],
    ["hybrid_swin.interop.factory"],
    ["hybrid_swin.interop.timm_registry"],
    ["hybrid_swin.interop.export.export"],
    ["hybrid_swin.training.commands"],
    ["hybrid_swin.__main__"],
    ["search.statistics"],
    ["search.settings.schema"],
    ["search.settings.wandb", "search.settings.config_files", "search.settings.names"],
    ["search.settings.experiment", "search.records.identity"],
    ["search.settings.study", "search.settings.comparison"],
    ["search.settings.kinds"],
    ["search.settings.reading", "search.space.templates", "search.space.budget"],
    ["search.records"],
    ["search.space.choices", "search.cli.space_options"],
    ["search.space.checks"],
    ["search.study.pareto", "search.space.space"],
    ["search.study.sampling.sampler_view", "search.study.objectives"],
    ["search.study.sampling.gp_process"],
    ["search.space.combinations"],
    ["search.space.extremes"],
    ["search.space.survey"],
    ["search.study.sampling.samplers", "search.study.rungs", "search.study.finalists"],
    ["search.study.sampling.draws"],
    ["search.study.sampling.study", "search.study.candidates"],
    ["search.study.random_candidates", "search.study.proposals"],
    ["search.study.expected_runs"],
    ["search.execution.silence"],
    ["search.execution.dispatcher"],
    [
        "search.reporting.status.run_scan",
        "search.reporting.status.lock_holder",
        "search.reporting.status.progress_file",
    ],
    ["search.reporting.status.status"],
    ["search.cli.status"],
    ["search.leaderboard.rows.building"],
    ["search.study.coordinator", "search.execution.workers"],
    ["search.reporting.figures.style"],
    ["search.reporting.figures.study_data"],
    ["search.reporting.figures.writing"],
    ["search.settings.contradictions"],
    ["search.cli.space"],
    ["search.launch.study"],
    ["search.launch.pilot"],
    ["search.launch.dry_run_study"],
    [
        "search.comparison.design.arms",
        "search.comparison.design.factors",
        "search.comparison.design.matching",
    ],
    ["search.comparison.design.matched_arms"],
    ["search.comparison.design.plan"],
    ["search.comparison.schedule", "search.comparison.results.differences"],
    ["search.comparison.results.comparison"],
    ["search.comparison.results.conclusions"],
    ["search.comparison.report.tables"],
    ["search.comparison.report.files"],
    ["search.launch.comparison"],
    ["search.launch.dry_run_comparison"],
    ["search.comparison.attribution"],
    ["search.cli.inspect.options"],
    ["search.cli.inspect.command"],
    ["search.cli.parsers"],
    ["search.cli.main"],
]
# Packages that only these modules know.
KNOWN_TO = {
    "optuna": (
        "search.study.sampling.study",
        "search.study.sampling.samplers",
        "search.study.sampling.sampler_view",
        "search.study.sampling.gp_process",
    ),
    "wandb": ("search.reporting.wandb.mirror", "search.reporting.wandb.inspection"),
    "ray": (),
}


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

    return set(walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))))


def rank(module):
    for index, line in enumerate(ORDER):
        if any(module == name or module.startswith(f"{name}.") for name in line):
            return index
    return None


def test_the_walk_sees_imports():
    assert "hybrid_swin.errors" in imports("hybrid_swin.spec.registry")
    assert "search.launch.study" in imports("search.cli.main")
    assert "search.launch.study" not in imports("search.cli.main", always=True)
    assert "hybrid_swin.spec.variant" not in imports("hybrid_swin.cost")
    for line in ORDER:
        assert set(line) <= set(MODULES)


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("hybrid_swin")])
def test_the_networks_know_nothing_of_the_search(module):
    assert not [i for i in imports(module) if i.split(".")[0] in ("search", *KNOWN_TO)]


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downwards(module):
    mine = rank(module)
    if mine is not None:
        upwards = [i for i in imports(module) if (rank(i) is not None and rank(i) > mine)]
        assert not upwards


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


def test_a_network_is_built_without_lightning():
    lower = [
        m for m in MODULES if rank(m) is not None and rank(m) <= rank("hybrid_swin.network.model")
    ]
    assert len(lower) > 15
    for module in lower:
        assert not {"lightning", "torchmetrics", "jsonargparse"} & {
            i.split(".")[0] for i in imports(module)
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
    "search.settings.comparison",
    "search.cli.attribution_options",
    "search.cli.inspect.options",
    "search.cli.status",
    "hybrid_swin.inspection.request",
    "search.space.space",
    "search.space.survey",
    "search.space.budget",
    "search.study.rungs",
    "search.cli.main",
]


def run(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT
    )
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


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], "python search.py leaderboard"),
        (["run", "--help"], "--finalists.seeds"),
        (["run", "--print_config"], "trials: "),
        (["blocks"], "w_msa"),
        (["cost", "w_msa+mdta:gate"], "MACs"),
        (["space"], "within budget"),
        (["compare", "--help"], "--match.tolerance"),
        (["compare", "--sedes", "3"], ""),
        (["inspect", "--help"], "--only"),
        (["attribution", "--help"], "--interactions"),
        (["run", "--trails", "3"], ""),
        (["run", "--config", "none.yaml"], ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_commands_that_train_nothing_import_nothing_heavy(arguments, expected):
    code = f"""
import runpy, sys
sys.argv = ["search.py", *sys.argv[1:]]
try:
    runpy.run_path("search.py", run_name="__main__")
except SystemExit as end:
    assert end.code in (0, None, 2), end.code
heavy = set(sys.modules) & set({HEAVY})
assert not heavy, heavy
"""
    assert expected in run(code, *arguments)
