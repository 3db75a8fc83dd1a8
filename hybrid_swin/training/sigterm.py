"""SIGTERM is for the process that trains, not for Lightning.

Lightning ends a training at SIGTERM by an exception, as if it had failed. A scheduler sends it to
every process of a job at once; then the command ends in order, and its workers with it.
"""

import signal
import threading

import lightning as L


class OwnSigterm(L.Callback):
    """Puts back what the process does at SIGTERM, where Lightning has taken its place."""

    def __init__(self) -> None:
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Put it back before the first batch."""
        if self._handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handler)

    on_validation_start = on_test_start = on_train_start
