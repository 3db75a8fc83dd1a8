"""One place reads and writes the files of a study's folder: read from the sources by ast."""

import ast
from pathlib import Path

import search

SEARCH = Path(search.__file__).parent
READERS = {
    "read_json",
    "read_yaml",
    "read_text",
    "read_bytes",
    "open",
    "load",
    "safe_load",
    "fromfile",
    "genfromtxt",
}
# Modules beside search/records that open files, and which: none of them is a study's record.
OTHERS = {
    "settings/config_files.py": "configs of the user's own",
    "settings/reference_page.py": "sources, for their docstrings",
    "settings/kinds.py": "variants of the user's own",
    "cli/cost/command.py": "variants that `cost --save` writes",
    "cli/inspect/command.py": "the index of a folder of inspections",
    "reporting/wandb/inspection.py": "a folder of inspections",
    "cli/papers.py": "the head of a paper's config, which is bundled",
    "cli/inspect/target.py": "a checkpoint, for its hash",
    "reporting/wandb/mirror.py": "the list of what the mirror has written",
    "execution/bounded_log.py": "logs",
    "execution/forked_workers.py": "the working folder",
    "launch/proposal/begin_file.py": "a proposal that the user may have changed",
    "launch/imports/source.py": "a list of candidates, of the user's own",
    "launch/proposal/images.py": "images of the user's own",
    "execution/other_process.py": "what the system says of a process",
    "execution/machine.py": "what the system says of its memory and cores",
    "execution/agents/agent.py": "whether the receipt says that the study is over",
    "execution/agents/mailbox.py": "messages and beats",
    "execution/ray_cluster/channel.py": "the null device",
    "execution/ray_cluster/cluster.py": "the address that Ray keeps",
    "execution/ray_cluster/session.py": "what the system says of a process",
    "execution/ray_cluster/slot.py": "no file: a method `open`",
    "execution/shared_word.py": "a word that shows whether a machine sees the folder",
    "execution/slurm/jobs.py": "logs",
    "execution/slurm/steps.py": "logs",
    "reporting/status/lock_holder.py": "the lock, as text",
}


def opened(source):
    """Names of calls that read a file, such as ``json.load`` and ``path.read_text``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in READERS and "registry" not in ast.unparse(node.func):
                yield ast.unparse(node.func)


def test_only_records_open_files_of_a_study():
    found = {}
    for file in sorted(SEARCH.rglob("*.py")):
        place = file.relative_to(SEARCH)
        calls = set(opened(file.read_text(encoding="utf-8")))
        if calls and place.parts[0] != "records":
            found[place.as_posix()] = calls
    assert set(found) == set(OTHERS), {n: c for n, c in found.items() if n not in OTHERS}


def test_the_walk_sees_every_way_to_open():
    for call in (
        "json.loads(path.read_text())",
        "json.load(open(path))",
        "np.load(path)",
        "yaml.safe_load(path.open())",
        "read_json(path)",
        "json.loads(path.read_bytes())",
    ):
        assert list(opened(call))
    assert not list(opened("json.loads(pipe.recv_bytes())"))
