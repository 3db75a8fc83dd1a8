"""Which devices of a machine each worker takes."""

from collections.abc import Sequence

from hybrid_swin.errors import InputError
from search.execution.machine import MIG
from search.settings.experiment import WorkerSettings


def shared_out(gpus: Sequence[str], workers: WorkerSettings) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each worker that there is room for: ``0,1`` where it takes two.

    The first workers have GPUs of their own; further ones share them in the same order.

    Raises:
        InputError: there are too few GPUs for one training, or for so many workers.
    """
    each = workers.devices
    if each > 1 and gpus and gpus[0].startswith(MIG):
        raise InputError(
            f"workers.devices {each}: parts of a GPU ({gpus[0][:40]}) do not train together; set "
            "workers.devices to 1, and each part gets a worker"
        )
    groups = [",".join(gpus[i : i + each]) for i in range(0, len(gpus) - each + 1, each)]
    if not groups:
        raise InputError(
            f"workers.devices {each} is more than the {len(gpus)} GPUs of this machine "
            f"(CUDA_VISIBLE_DEVICES); give at most {len(gpus)}"
        )
    if each > 1 and workers.count != "auto" and int(workers.count) > len(groups):
        raise InputError(
            f"workers.count {workers.count} times workers.devices {each} is more than the "
            f"{len(gpus)} GPUs of this machine; give workers.count at most {len(groups)}"
        )
    return groups * workers.per_device


def check_devices(workers: WorkerSettings) -> None:
    """Raise InputError for devices of a worker that cannot be, whatever the machine."""
    if workers.accelerator == "mps":
        check_one_device(workers, "accelerator mps")
    if workers.devices > 1 and workers.per_device > 1:
        raise InputError(
            f"workers.per_device {workers.per_device} lets trainings share a GPU, and "
            f"workers.devices {workers.devices} gives a training several; set one of them to 1"
        )


def check_one_device(workers: WorkerSettings, what: str) -> None:
    """Raise InputError for several devices of a kind of which there is one."""
    if workers.devices > 1:
        raise InputError(
            f"workers.devices {workers.devices}: {what} is one device, which a training has to "
            "itself; set workers.devices to 1"
        )
