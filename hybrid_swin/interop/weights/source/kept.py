"""First weights that a process keeps: a worker starts hundreds of trainings from one file."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.files import files_of, init_hash, read_weights
from hybrid_swin.interop.weights.source.images import ImagesOfWeights, images_of
from hybrid_swin.interop.weights.source.weight_source import WeightSource, source_in


class KeptWeights(NamedTuple):
    """A file of weights, as it was when it was read."""

    source: WeightSource
    hash: str  # of its bytes, and the network that was asked for
    images: ImagesOfWeights | None  # how those of its training were normalised


def kept_weights(path: str | Path, prefix: str | None = None) -> KeptWeights:
    """A file's weights, read once in a process for as long as the file stays as it is.

    Raises:
        InputError: it cannot be read, or holds no weights of a Swin.
    """
    files = files_of(path)
    try:
        stats = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError as error:
        raise InputError(f"checkpoint {str(path)!r} cannot be read: {error.strerror}") from error
    return _read(files[0], tuple(stats), prefix)


@lru_cache(maxsize=2)  # two, for a study that follows another in this process
def _read(file: Path, stats: tuple[tuple[str, int, int], ...], prefix: str | None) -> KeptWeights:
    read = read_weights(file)
    source = source_in(read, prefix)
    return KeptWeights(source, init_hash(file, prefix), images_of(read, source, file.parent))
