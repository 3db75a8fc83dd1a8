"""Silence for what Lightning says to newcomers and that does not hold here; nothing else."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Each with why it does not hold.
_MESSAGES = (
    # Images lie in memory: worker processes would cost more than they bring.
    r".*does not have many workers which may be a bottleneck.*",
    # A training is one process: srun has nothing to start beside it.
    r"The `srun` command is available on your system but is not used.*",
    # The same data loaders serve every epoch of a short training.
    r"Consider setting `persistent_workers=True`.*",
    # We log by epoch, not by step.
    r"The number of training batches \(\d+\) is smaller than the logging interval.*",
    # A training goes on in the folder that it began in.
    r"Checkpoint directory .* exists and is not empty.*",
    # https://github.com/Lightning-AI/pytorch-lightning/issues/21326
    r"`isinstance\(treespec, LeafSpec\)` is deprecated.*",
    # What is logged is the same on each device.
    r"It is recommended to use `self\.log\(.*, sync_dist=True\)`.*",
    # Gradients of convolutions over permuted maps lie as those maps do.
    r"Grad strides do not match bucket view strides.*",
    # The caller chose the device.
    r"[GT]PU available but not used.*",
)
# Banners and tips at INFO: "GPU available: False", "`Trainer.fit` stopped: ...".
_LOGGERS = ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda")


@contextmanager
def quiet() -> Iterator[None]:
    """Without Lightning's banners and the warnings named above."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for message in _MESSAGES:
            warnings.filterwarnings("ignore", message=message)
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
