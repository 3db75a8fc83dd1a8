"""Which faults strike one study, and how reports of several runs become one."""

from benchmarks.chaos import grouped
from benchmarks.chaos_faults import Fault, nothing
from benchmarks.chaos_report import merged, tables


def report(*outcomes, skipped=None, mended=()):
    return {
        "commands": [f"run of {len(outcomes)}"],
        "mended": list(mended),
        "hardware": "x",
        "versions": {"torch": "2"},
        "skipped": skipped or {},
        "outcomes": [
            {"fault": fault, "place": place, "detail": "", "complaints": complaints}
            for fault, place, complaints in outcomes
        ],
    }


def test_harm_counts_until_the_same_fault_does_none_in_the_same_place():
    first = report(
        ("full disk", "local", []),
        ("full disk", "slurm", ["a traceback"]),
        ("kill", "slurm", ["lost"]),
        skipped={"ray": "not installed"},
    )
    then = report(("full disk", "slurm", []), ("kill", "ray", []), mended=["a traceback"])
    both = merged(merged({}, first), then)
    assert [(one["fault"], one["place"]) for one in both["outcomes"]] == [
        ("full disk", "local"),
        ("kill", "slurm"),
        ("full disk", "slurm"),
        ("kill", "ray"),
    ]
    assert both["commands"] == ["run of 3", "run of 2"]
    assert (both["skipped"], both["mended"]) == ({}, ["a traceback"])
    text = tables(both)
    assert "**4 random faults, 1 of which did harm.** 0 of them came too late" in text
    assert "- Harm: kill (slurm): lost" in text
    assert "| fault | local | slurm | ray |" in text
    assert "| kill |  | 1 | 1 |" in text and "| **all** | 1 | 2 | 1 |" in text


def test_faults_that_need_something_of_the_study_strike_it_first():
    here, there = object(), object()
    plain, other, own = (
        Fault("plain", nothing),
        Fault("other", nothing),
        Fault("own", nothing, arguments=("--name", "x")),
    )
    pairs = [(own, here), (own, here), (plain, there), (plain, here), (other, there)]
    groups = [([fault.name for fault in group], place) for group, place in grouped(pairs, 2)]
    assert groups == [(["own", "plain"], here), (["own"], here), (["plain", "other"], there)]
    assert [len(group) for group, _ in grouped(pairs, 1)] == [1] * 5
    whole = Fault("in the study itself", nothing, waits=False)
    assert [len(group) for group, _ in grouped([(whole, here), (plain, here)], 2)] == [1, 1]
