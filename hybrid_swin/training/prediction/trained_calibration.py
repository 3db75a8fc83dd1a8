"""The calibration of a training: the one that is kept, or fitted to its validation images now."""

from contextlib import suppress
from pathlib import Path

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.files import find_checkpoint
from hybrid_swin.training.fit import check_trained_on, evaluate
from hybrid_swin.training.prediction.calibration import Calibration, read_calibration
from hybrid_swin.training.resume import UnreadableStateError
from hybrid_swin.training.trained_data import folder_of, trained_data


def calibrated(
    path: str | Path, accelerator: str = "auto", trust: bool = False
) -> tuple[Calibration | None, str]:
    """The calibration of a network, or none and the reason.

    What is fitted is kept beside the checkpoint, if that can be written.

    Args:
        path: a training's folder or checkpoint, or a file of weights.
        accelerator: where validation images are read.
        trust: whether data modules that its folder names may run.
    """
    if (kept := read_calibration(path)) is not None:
        return kept, ""
    checkpoint = find_checkpoint(path)
    folder = folder_of(checkpoint)
    if folder is None:
        return None, "the weights lie beside no training, whose validation images would be needed"
    try:
        data = trained_data(folder, trust).module()
        if note := check_trained_on(checkpoint, data):
            return None, note
        reading = evaluate(checkpoint, data, "validation", accelerator=accelerator)
        calibration = Calibration.of(reading.logits, reading.labels, checkpoint)
    except (InputError, UnreadableStateError) as error:
        return None, f"its validation images cannot be read: {error}"
    with suppress(InputError):  # a place that only others may write: it is fitted again next time
        calibration.save(checkpoint.parent)
    return calibration, ""
