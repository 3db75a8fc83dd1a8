"""What is said to do about a refusal, for what Slurm 22.05 and 23.11 print."""

import pytest

from search.execution.slurm.refusals import advice_on


@pytest.mark.parametrize(
    ("reason", "settings"),
    [
        ("Requested node configuration is not available", ["cpus", "memory", "gres", "sinfo -o"]),
        ("invalid partition specified: nope", ["executor.partition", "sinfo -s"]),
        ("Invalid account or account/partition combination specified", ["executor.account"]),
        ("Invalid qos specification", ["executor.qos"]),
        ("Invalid --time specification", ["executor.time"]),
        ("Requested time limit is invalid (missing or exceeds some limit)", ["executor.time"]),
        ("Invalid generic resource (gres) specification", ["executor.gres"]),
        ("Invalid feature specification", ["executor.constraint"]),
        ("Memory specification can not be satisfied", ["executor.memory"]),
        ("CPU count per node can not be satisfied", ["executor.cpus"]),
        ("Job violates accounting/QOS policy (job submit limit, ...)", ["executor.max_jobs"]),
        ("unrecognized option '--x'", ["executor.arguments"]),
        ("Invalid --mem specification", ["executor.memory"]),
        ("Invalid --exclusive specification", ["executor.arguments"]),
        ("Invalid time specification (pos=0): x; Invalid --begin", ["executor.arguments"]),
        ("Invalid node name specified", ["executor.arguments"]),
    ],
)
def test_a_refusal_names_the_setting(reason, settings):
    assert all(name in advice_on(reason) for name in settings)
    assert len(advice_on(reason)) < 200


def test_what_is_not_known_has_no_advice():
    assert advice_on("Unexpected message received") == ""
