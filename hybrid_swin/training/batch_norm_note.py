"""What the result of a training in micro-batches says where its network has batch norm."""

_NOTE = "batch norm took its statistics over micro-batches of"


def batch_norm_note(images: int) -> str:
    """The note, with how many images there were at once."""
    return f"{_NOTE} {images}"


def has_batch_norm_note(notes: str | None) -> bool:
    """Whether the notes of a result have it."""
    return _NOTE in (notes or "")
