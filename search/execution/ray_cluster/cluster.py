"""The cluster that a driver works on: one that runs already, or one of its own on this machine."""

import logging
import os
import secrets
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hybrid_swin.errors import InputError, quote
from hybrid_swin.errors.plain_text import message_of, one_line
from search.execution.ray_cluster.nodes import Seen
from search.execution.ray_cluster.session import end_session

_PATIENCE = 5.0  # seconds for the head of a cluster to take a connection
_TRIES = "3"  # one per second, of a head that refuses us; Ray's own number is 20
_OBJECT_STORE = 80 * 2**20  # bytes, of which nothing is used; Ray wants at least 75 MB
_MODE, _TOKEN, _TOKEN_FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


@contextmanager
def connected(opening: Mapping[str, Any]) -> Iterator[Any]:
    """The module ``ray``, connected to the cluster that the driver's first message describes.

    Raises InputError if Ray cannot be imported, or there is no such cluster that we may use.
    """
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", _TRIES)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DISABLE_IMPORT_WARNING", "1")
    address = opening["address"]
    if address is None:
        _keep_private(Path(opening["scratch"]))
    else:
        _use_token()
    try:
        import ray
    except ImportError as error:
        raise InputError(
            f"Ray is installed but cannot be imported ({error}); install it again: pip install "
            "--force-reinstall ray"
        ) from error
    if address is None:
        _begin(ray, opening)
    else:
        _join(ray, address, f"{opening['named']} {quote(address)}")
    try:
        yield ray
    finally:
        ray.shutdown()
        if address is None:
            end_session(os.getsid(0))


def look(ray: Any) -> list[Seen]:
    """The nodes that are up."""
    from ray._private.state import available_resources_per_node

    free = available_resources_per_node()
    return [
        Seen(id_, node["NodeManagerHostname"], node["Resources"], free.get(id_, {}))
        for node in ray.nodes()
        if node["Alive"] and (id_ := node["NodeID"])
    ]


def _keep_private(scratch: Path) -> None:
    """A cluster of our own: its token and all its files are for this user alone."""
    token = scratch / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32), encoding="utf-8")
    os.environ.pop(_TOKEN, None)
    os.environ.pop("RAY_ADDRESS", None)
    os.environ |= {
        _MODE: "token",
        _TOKEN_FILE: str(token),
        # what is not allowed more memory is ended by the system, as without Ray
        "RAY_memory_monitor_refresh_ms": "0",
        "RAY_enable_metrics_collection": "0",
    }


def _use_token() -> None:
    """A cluster of others: use the token that Ray keeps for this user, and keep it to the user."""
    given = os.environ.get(_TOKEN_FILE)
    file = Path(given) if given else Path.home() / ".ray" / "auth_token"
    if given and not file.is_file():
        raise InputError(f"{_TOKEN_FILE} {quote(given)} is not a file; name that of the token")
    with suppress(OSError):
        about = file.stat()
        if about.st_uid == os.getuid() and about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            file.chmod(0o600)  # Ray itself writes it for all to read
    if os.environ.get(_TOKEN) or file.is_file():
        os.environ.setdefault(_MODE, "token")


def _begin(ray: Any, opening: Mapping[str, Any]) -> None:
    from ray._private import ray_constants

    # Ray then stays on 127.0.0.1, as it does on a Mac; no argument of `init` has it do so.
    ray_constants.ENABLE_RAY_CLUSTER = False
    scratch = Path(opening["scratch"]) / "ray"  # which Ray opens to all, but not what it lies in
    try:
        ray.init(
            address="local",
            **opening["own"],
            **_QUIET,
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE,
            _temp_dir=str(scratch),
        )
    except Exception as error:
        raise InputError(
            f"Ray cannot start on this machine: {_words_of(error)}; {opening['logs']}/ray.log "
            "says more"
        ) from error


def _join(ray: Any, address: str, named: str) -> None:
    if address != "auto":
        check_listens(address, named)
        _stay_local_if_it_is(address)
    elif place := found_address():
        check_listens(place[0], f"{named} leads to {place[0]} (of {place[1]})")
        _stay_local_if_it_is(place[0])
    try:
        ray.init(address=address, **_QUIET)
    except Exception as error:
        raise InputError(_explained(error, address, named)) from error


def found_address() -> tuple[str, str] | None:
    """What Ray takes for ``auto``, and where it found it; None if nothing, or not HOST:PORT.

    A cluster that has ended may have left its address there.
    """
    with suppress(Exception):  # `ray.init` says it
        from ray._private.services import get_ray_address_from_environment
        from ray._private.utils import get_ray_address_file

        address = str(get_ray_address_from_environment("auto", None))
        file = Path(get_ray_address_file(None))
        kept = file.is_file() and file.read_text(encoding="utf-8").strip() == address
        source = str(file) if kept else "a process of Ray here"
        source = "RAY_ADDRESS" if os.environ.get("RAY_ADDRESS") == address else source
        host, _, port = address.rpartition(":")
        if host and port.isdigit() and "//" not in address:
            return address, source
    return None


def check_listens(address: str, named: str) -> None:
    """Raise InputError if nobody listens there: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
    except OSError as error:
        raise InputError(
            f"{named}: nobody listens there ({error.strerror or error}); start the head with "
            "`ray start --head` and give the address that it prints, or leave the address out for "
            "a cluster on this machine alone"
        ) from error


def _stay_local_if_it_is(address: str) -> None:
    """Ray replaces 127.0.0.1 by this machine's own address, where a local cluster is not heard."""
    from ray._private import ray_constants
    from ray._private.services import resolve_ip_for_localhost

    host, _, port = address.rpartition(":")
    other = resolve_ip_for_localhost(host)
    if other != host:
        try:
            socket.create_connection((other, int(port)), _PATIENCE).close()
        except OSError:
            ray_constants.ENABLE_RAY_CLUSTER = False


def _explained(error: BaseException, address: str, named: str) -> str:
    """Why a cluster does not take us, and what to do."""
    cluster = "this machine's Ray cluster" if address == "auto" else f"the Ray cluster at {address}"
    text = " ".join(str(one) for one in _causes(error))
    if "Version mismatch" in text:
        return (
            f"{cluster} runs other versions: {_words_of(error)}; start this "
            "program with the same Ray and Python as the cluster's"
        )
    if "InvalidAuthToken" in text or "uthentication" in text:
        none = os.environ.get(_MODE) != "token"
        why = "asks for a token, and there is none here" if none else "does not take our token"
        return (
            f"{cluster} {why}; copy ~/.ray/auth_token of its head to this machine, or name a copy "
            f"of it by {_TOKEN_FILE}"
        )
    if "Could not find any running Ray" in text:
        return (
            f"{named}: no Ray runs on this machine; join a cluster with `ray "
            "start --address HOST:PORT`, or leave the address out for a cluster of its own"
        )
    return (
        f"cannot join {cluster}: {_words_of(error)}; give the command on a "
        "machine of the cluster, one where `ray status` answers"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _words_of(error: BaseException) -> str:
    """What an error says, without a token."""
    text = one_line(message_of(error), 200) or type(error).__name__
    token = os.environ.get(_TOKEN)
    return text.replace(token, "***") if token else text
