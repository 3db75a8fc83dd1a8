"""What a cluster may be asked for: words and numbers that Ray would take for something else."""

from collections.abc import Mapping

from hybrid_swin.errors import InputError, quote

# Names of what Ray counts itself, or what its users take for that; also names of its own options.
_OWN = {"cpu", "gpu", "cpus", "gpus", "num_cpus", "num_gpus", "memory", "object_store_memory"}
_OWN |= {"bundle"}
_LEAST, _MOST = 1e-4, 1e9  # of a resource; Ray keeps four digits of fractions


def check_amounts(cpus: float | None, gpus: float | None, resources: Mapping[str, float]) -> None:
    """Raise InputError for what no worker can reserve."""
    if gpus and gpus > 1 and gpus != int(gpus):
        raise InputError(
            f"executor.num_gpus {gpus:g} must be a whole number, or below 1 for workers that share "
            "a GPU"
        )
    for name, value in (("num_cpus", cpus), ("num_gpus", gpus)):
        if value and value < _LEAST:
            raise InputError(
                f"executor.{name} {value:g} is less than Ray can reserve; give at least {_LEAST:g}"
            )
    for name, amount in resources.items():
        own = name.casefold() in _OWN or not name.strip() or isinstance(amount, bool)
        if own or not _LEAST <= amount <= _MOST:
            raise InputError(
                "executor.resources must map names of custom resources to positive numbers "
                f"({_LEAST:g} to {_MOST:g}); got {quote(name)}: {amount:g}; for CPUs and GPUs "
                "give executor.num_cpus and executor.num_gpus, and for memory nothing"
            )


def check_address(address: str, name: str) -> None:
    """Raise InputError if that cannot be a cluster's address; ``name`` says where it stands."""
    if "@" in address:  # not said again: it may hold a password
        raise InputError(
            f"{name} must not hold a user or a password; give auto or HOST:PORT, and the cluster's "
            "token in ~/.ray/auth_token or a file that RAY_AUTH_TOKEN_PATH names"
        )
    if address.startswith("http"):
        raise InputError(
            f"{name} {quote(address)} is the address of a dashboard, which takes jobs by `ray job "
            "submit`; give auto or HOST:PORT of the head (6379 unless another port was given)"
        )
    if "://" in address:
        raise InputError(
            f"{name} {quote(address)}: addresses of Ray Client are not supported; give auto or "
            "HOST:PORT on a machine of the cluster, or use `ray job submit`"
        )
    host, _, port = address.rpartition(":")
    if address not in ("auto", "local") and not (host and port.isdigit() and int(port) < 2**16):
        raise InputError(
            f"{name} {quote(address)} must be auto or HOST:PORT, such as head:6379; or leave it out"
        )
