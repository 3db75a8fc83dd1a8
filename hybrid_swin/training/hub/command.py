"""The command ``export``: a network as a file for elsewhere, or as a folder of the Hub."""

from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import say
from hybrid_swin.interop.export.export import export_checkpoint
from hybrid_swin.interop.export.options import HUB, ExportOptions
from hybrid_swin.spec.own_code.kept_plugins import adopt_kept_plugins
from hybrid_swin.training.hub.folder import CARD, write_hub_folder


def export(options: ExportOptions) -> int:
    """Write what the options ask for, and say so. Returns the exit code."""
    if options.format != HUB:
        return export_checkpoint(options)
    adopt_kept_plugins(options.checkpoint, options.plugin, options.trust)
    if options.output is None:
        raise InputError("--format hub writes a folder: give --output DIR")
    folder = write_hub_folder(options.checkpoint, options.output, trust=options.trust)
    for file in sorted(folder.iterdir()):
        say(f"{file}  {file.stat().st_size:,} bytes")
    say(f"read {folder / CARD} and add a license; hs.load({str(folder)!r}) loads it")
    return 0
