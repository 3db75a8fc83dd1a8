"""What to do about a submission that Slurm refuses: Slurm itself names no option."""

import re

# What sbatch says, in lower case, and what its user can do about it; the first that fits counts.
_ADVICE = (
    ("invalid partition|partition name", "correct executor.partition; `sinfo -s` lists all"),
    (
        "account or account/partition|invalid account",
        "correct executor.account; `sacctmgr show associations user=$USER` lists yours",
    ),
    ("invalid qos|qos specification", "correct executor.qos; `sacctmgr show qos` lists all"),
    (
        "requested time limit|invalid --time",
        "correct executor.time; `sinfo -o '%P %l'` shows the limits of partitions",
    ),
    (
        "generic resource|invalid gres|gres",
        "correct executor.gres; `sinfo -o '%P %G'` shows what nodes have",
    ),
    (
        "feature",
        "correct executor.constraint; `sinfo -o '%P %f'` shows the features of nodes",
    ),
    (
        "memory|invalid --mem",
        "correct executor.memory; `sinfo -o '%P %m'` shows the MB of nodes",
    ),
    (
        "cpu count|processors|cpus",
        "ask for less by executor.cpus; `sinfo -o '%P %c'` shows the CPUs of nodes",
    ),
    (
        "node configuration is not available|required node not available",
        "no node has all of executor.cpus, memory, gres and constraint: ask for less, or another "
        "executor.partition; `sinfo -o '%P %c %m %G %f'` shows what nodes have",
    ),
    (
        "submit limit|submitjoblimit|qos policy|accounting",
        "ask for less by executor.max_jobs, cpus, gres or time, or take another executor.qos",
    ),
    (
        "invalid --|node name|(unrecognized|invalid|ambiguous) option|option '.* is ambiguous|"
        "requires an argument",
        "correct executor.arguments; `man sbatch` says what each option takes",
    ),
)


def advice_on(reason: str) -> str:
    """The setting to change; empty if it is not known.

    Args:
        reason: what sbatch said.
    """
    words = reason.casefold()
    return next((advice for sign, advice in _ADVICE if re.search(sign, words)), "")
