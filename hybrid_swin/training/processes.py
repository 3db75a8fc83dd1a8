"""The processes of one training over several devices, and how they find each other.

They are started by others, one per device, and each calls ``fit`` with the same arguments but its
own ``Processes``. Rank 0 listens on 127.0.0.1 alone, at a port that is its own from the start, so
that nobody else can take it and no other machine can reach it.
"""

import inspect
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed, nn
from torch._C._distributed_c10d import PrefixStore, TCPStore
from torch.nn.parallel import DistributedDataParallel

from hybrid_swin.errors import InputError, quote
from hybrid_swin.errors.plain_text import message_of

_HERE = "127.0.0.1"
_PATIENCE = timedelta(days=7)
_OURS = {"hybrid_swin", "torch"}  # packages whose layers use all their parameters
# Buffers hold sums of a process's own; batch norm's are the same on all. (A name of torch 2.13.)
_NAMES = inspect.signature(DistributedDataParallel).parameters
_OWN_BUFFERS: dict[str, Any] = {
    "forward_sync_buffers" if "forward_sync_buffers" in _NAMES else "broadcast_buffers": False
}


class LostDeviceError(RuntimeError):
    """The connection to another device's process broke. Why is for that process to say."""


def _is_of_the_connection(error: BaseException) -> bool:
    of_gloo = isinstance(error, RuntimeError) and "/gloo/" in message_of(error)
    return of_gloo or isinstance(error, distributed.DistError)


@dataclass(frozen=True)
class Processes:
    """How many there are, and which this one is."""

    rank: int = 0
    count: int = 1
    store: Any = None  # of torch.distributed

    @classmethod
    def lead(cls, count: int) -> tuple["Processes", int]:
        """Rank 0 of so many, and the port where the others join it."""
        listener = socket.create_server((_HERE, 0))
        port = listener.getsockname()[1]
        store = TCPStore(
            _HERE,
            port,
            count,
            is_master=True,
            wait_for_workers=False,
            master_listen_fd=listener.detach(),
        )
        return cls(0, count, store), port

    @classmethod
    def join(cls, rank: int, count: int, port: int) -> "Processes":
        """Another rank, of the one that listens there."""
        store = TCPStore(_HERE, port, count, is_master=False, wait_for_workers=False)
        return cls(rank, count, store)

    def take_device(self, device: str) -> None:
        """Have this process use the GPU of its rank from now on, and no memory of another one.

        Raises InputError if CUDA shows this process fewer than there are processes.
        """
        if device != "cuda" or self.count == 1:
            return
        seen = torch.cuda.device_count()
        if self.count > seen:
            names = os.environ.get("CUDA_VISIBLE_DEVICES")
            given = "" if names is None else f" (CUDA_VISIBLE_DEVICES={quote(names)})"
            raise InputError(
                f"a training over {self.count} devices sees {seen} GPU{'s' * (seen != 1)} "
                f"here{given}; give workers.devices at most {max(1, seen)}"
            )
        torch.cuda.set_device(self.rank)

    @contextmanager
    def connected(self, device: str, name: str) -> Iterator[None]:
        """Let them compute together inside; one process needs no other.

        After an exception the connection is left to the end of the process, since the others may
        be waiting in it. None of them waits for a limited time: whoever started them sees one that
        ends, and judges one that is silent.

        Args:
            device: ``cpu`` or ``cuda``; each process takes the device of its rank.
            name: of what they do; another one each time.

        Raises:
            LostDeviceError: another process ended.
        """
        if self.count == 1:
            yield
            return
        own: dict[str, Any] = {}
        if device == "cuda":
            own["device_id"] = torch.device("cuda", self.rank)
        if sys.platform == "linux":  # else they listen at an address of this machine's name
            for library in ("GLOO", "NCCL"):
                os.environ.setdefault(f"{library}_SOCKET_IFNAME", "lo")
        distributed.init_process_group(
            "nccl" if device == "cuda" else "gloo",
            store=PrefixStore(name, self.store),
            rank=self.rank,
            world_size=self.count,
            timeout=_PATIENCE,
            **own,
        )
        try:
            yield
        except Exception as error:
            if _is_of_the_connection(error):
                first = (message_of(error).splitlines() or [type(error).__name__])[0]
                raise LostDeviceError(
                    f"the process of another device ended or cannot be reached ({first[:160]})"
                ) from error
            raise
        distributed.destroy_process_group()

    def trainer_options(self, network: nn.Module | None = None) -> dict[str, Any]:
        """For Lightning's Trainer, which starts no process and cuts no data itself.

        ``network``: the one that is trained by several.
        """
        alone = {"devices": self.count, "plugins": [_Started(self.rank)]}
        if self.count == 1:
            return alone
        return alone | {
            "use_distributed_sampler": False,  # batches come in shares already
            "strategy": DDPStrategy(
                find_unused_parameters=network is None or may_leave_out(network), **_OWN_BUFFERS
            ),
        }


def may_leave_out(network: nn.Module) -> bool:
    """Whether a step may not use all parameters, for which a search at every step costs time.

    Our parts use all of theirs at each step, as their contract tests see to. Others may decide
    anew at each step, so no trial shows it.
    """
    roots = {type(module).__module__.partition(".")[0] for module in network.modules()}
    return not roots <= _OURS


class _Started(LightningEnvironment):
    """To Lightning: every process is started already, and this is one of them."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self._rank = rank

    @property
    def creates_processes_externally(self) -> bool:
        return True

    def local_rank(self) -> int:
        return self._rank

    def node_rank(self) -> int:
        return 0
