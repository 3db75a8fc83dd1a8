"""The arguments of ``export``, which two doors share; PyTorch is imported when they are right."""

from jsonargparse import ArgumentParser, Namespace

from hybrid_swin.spec.own_code.trust import TRUST_HELP


def add_export_options(parser: ArgumentParser) -> ArgumentParser:
    """Give a parser the arguments of the command."""
    parser.add_argument(
        "checkpoint",
        type=str,
        help="folder of a finished training, such as a run of a study, or the checkpoint in it",
    )
    parser.add_argument(
        "--format", type=str, required=True, help="onnx, torch-export or safetensors"
    )
    parser.add_argument(
        "--output", type=str | None, help="the file to write; beside the checkpoint if not given"
    )
    parser.add_argument(
        "--image_size",
        type=int | tuple[int, int] | None,
        help="pixels per side, or [height, width], that the computation is for; the variant's if "
        "not given",
    )
    parser.add_argument(
        "--input",
        type=str,
        default="normalised",
        help="images that it takes: normalised, or pixels, which it then normalises itself",
    )
    parser.add_argument(
        "--plugin",
        type=str,
        default=[],
        action="append",
        help="a file with branches or fusions that it uses; may be given again",
    )
    parser.add_argument("--trust", action="store_true", help=TRUST_HELP)
    return parser


def run_export(options: Namespace) -> int:
    """Export a network as the arguments say. Returns the exit code."""
    from hybrid_swin.interop.export.export import export_checkpoint

    return export_checkpoint(
        options.checkpoint,
        options.format,
        options.output,
        options.image_size,
        options.input,
        options.plugin,
        options.trust,
    )
