"""The options of ``export``, which two doors share."""

from dataclasses import dataclass
from typing import Literal

from hybrid_swin.spec.own_code.trust import CodeOptions

HUB = "hub"


@dataclass(frozen=True, kw_only=True)
class ExportOptions(CodeOptions):
    """What to export, and how.

    Args:
        checkpoint: folder of a finished training, such as a run of a study, or the checkpoint in
            it.
        format: onnx, torch-export or safetensors; or hub, a folder with weights, config, model card
            and calibration as the Hugging Face Hub takes it (uploading is yours).
        output: the file to write, beside the checkpoint if not given; of hub the folder.
        image_size: pixels per side, or [height, width], that the computation is for; if not given,
            the recipe's test_image_size, else the variant's.
        input: images that it takes: pixels are normalised by the network itself.
    """

    checkpoint: str
    format: str
    output: str | None = None
    image_size: int | tuple[int, int] | None = None
    input: Literal["normalised", "pixels"] = "normalised"
