"""What a job may be asked to have: words that Slurm would take for something else are refused.

Slurm reads memory without a unit as megabytes, two numbers of a time as minutes and seconds, and a
time of zero as none at all.
"""

import re
from collections.abc import Iterable

from hybrid_swin.errors import InputError, quote

_LEAST_MINUTES = 3  # a job leaves its node one minute before its limit
_NO_LIMIT = ("infinite", "unlimited")
_SHARES = ("mps", "shard")  # of one GPU, which the job sees whole

# Of sbatch, and set by the executor; sbatch takes any beginning of a name for it.
_OURS = (
    *("array", "chdir", "comment", "job-name", "no-requeue", "nodes", "ntasks", "open-mode"),
    *("output", "parsable", "requeue", "signal", "test-only", "wait", "wrap"),
)
# A value of a variable that is secret by its name; what is read from elsewhere is not one.
_SECRET = re.compile(
    r"\w*(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY)=[\"']?(?![$`/~\"'])\S", re.IGNORECASE
)
_OURS_IN_SHORT = re.compile("-[aJoNnDW]")
# Of sbatch, and of the executor by a name of its own, where it is checked and counted.
_NAMED = {
    **{name: name for name in ("partition", "account", "qos", "gres", "constraint", "time")},
    "cpus-per-task": "cpus",
    "mem": "memory",
}
_NAMED_IN_SHORT = {"p": "partition", "A": "account", "q": "qos", "C": "constraint", "t": "time"}
_NAMED_IN_SHORT |= {"c": "cpus"}


def check_memory(memory: str) -> None:
    """Raise InputError for a number without a unit, or what is not memory."""
    number = re.fullmatch(r"(\d+)([KMGT]B?)?", memory, re.IGNORECASE)
    if not number:
        raise InputError(
            f"executor.memory {quote(memory)} must be a whole number with a unit (K, M, G or T), "
            "such as 16G; or 0 for all memory of the node"
        )
    if not number[2] and int(memory):
        raise InputError(
            f"executor.memory {quote(memory)} is {int(memory)} MB to Slurm; write "
            f"{int(memory)}G or {int(memory)}M"
        )


def check_time(time: str) -> None:
    """Raise InputError for a limit that Slurm reads in another way, or too short to work in."""
    if time.casefold() in _NO_LIMIT:
        return
    forms = r"\d+|\d+:\d+(:\d+)?|\d+-\d+(:\d+){0,2}"
    if not re.fullmatch(forms, time):
        raise InputError(
            f"executor.time {quote(time)} must be minutes, or as '4:00:00', or with days as "
            "'1-12:00:00'"
        )
    if re.fullmatch(r"\d+:\d+", time):
        first, second = time.split(":")
        raise InputError(
            f"executor.time {quote(time)} is minutes and seconds to Slurm; write '{time}:00' for "
            f"hours and minutes, or {int(first) + (int(second) > 0)} for minutes"
        )
    if _minutes(time) < _LEAST_MINUTES:
        why = "no limit to Slurm" if not _minutes(time) else "too short to work in"
        raise InputError(
            f"executor.time {quote(time)} is {why}; give at least {_LEAST_MINUTES} minutes, "
            "'infinite' for no limit, or leave it out for the partition's own"
        )


def _minutes(time: str) -> float:
    """Of one of the forms that are taken."""
    days, dash, rest = time.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if not dash and len(parts) == 1:
        return parts[0]
    hours, minutes, seconds = [*parts, 0, 0][:3]
    return int(days or 0) * 1440 + hours * 60 + minutes + seconds / 60


def check_arguments(arguments: Iterable[str]) -> None:
    """Raise InputError for what is not an option of sbatch, or is set elsewhere."""
    for argument in arguments:
        if not re.match("-[A-Za-z]|--[a-z]", argument):
            raise InputError(
                f"executor.arguments: {quote(argument)} is not an option of sbatch; write each "
                "as one word, such as --exclude=n7"
            )
        name = argument[2:].partition("=")[0] if argument.startswith("--") else "-"
        if _OURS_IN_SHORT.match(argument) or any(one.startswith(name) for one in _OURS):
            raise InputError(
                f"executor.arguments: {quote(argument)} is set by the executor itself; leave it out"
            )
        own = next((own for one, own in _NAMED.items() if one.startswith(name)), None)
        if own := own if name != "-" else _NAMED_IN_SHORT.get(argument[1]):
            raise InputError(
                f"executor.arguments: {quote(argument)} is an option of the executor: give it as "
                f"executor.{own}"
            )
        if argument.startswith("-M") or "clusters".startswith(name):
            raise InputError(
                f"executor.arguments: {quote(argument)} would send jobs where squeue and scancel "
                "do not look; leave it out and set SLURM_CLUSTERS in the environment instead"
            )


def check_secrets(name: str, texts: Iterable[str]) -> None:
    """Raise InputError if a text gives a password or token; no message repeats it."""
    if any(_SECRET.search(text) for text in texts):
        raise InputError(
            f"executor.{name} holds a password or a token, which would be written into the study's "
            "settings; jobs have the environment of this command: export it before, or read it "
            "from a file, as in export NAME=$(cat FILE)"
        )


def gpus_in(gres: str) -> int:
    """GPUs that generic resources name, such as ``gpu:a100:2``; a share of one counts as one."""
    count, shared = 0, False
    for one in gres.split(","):
        name, *rest = re.split("[:=]", re.sub("^gres[/:]", "", one).partition("(")[0])
        if name in ("gpu", "gpus"):
            count += int(rest[-1]) if rest and rest[-1].isdigit() else 1
        shared = shared or name in _SHARES
    return count or int(shared)
