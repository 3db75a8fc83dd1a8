"""Image files before they are read: what is known of each, and what is to be said of the others."""

from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, TypeVar

from hybrid_swin.data.files.image_file import ImageFile
from hybrid_swin.data.sources import SplitName, class_order
from hybrid_swin.data.spellings import is_no_group, is_no_label
from hybrid_swin.errors import InputError, quote

File = TypeVar("File", bound=ImageFile, covariant=True)


class ListedImage(NamedTuple, Generic[File]):
    """One file that should hold an image.

    Args:
        id: unique, the same in every run.
        file: where its bytes are.
        label: its class.
        split: '' where it is free.
        group: what no split may tear apart; '' where it stands alone.
    """

    id: str
    file: File
    label: str
    split: SplitName | Literal[""] = ""
    group: str = ""


@dataclass
class Listing(Generic[File]):
    """The files in a fixed order, and what is to be said of the others.

    Args:
        items: what should be images.
        left_out: (name, reason) of images that belong nowhere.
        ignored: (name, reason) of what is not an image.
        notes: how words were read.
    """

    items: list[ListedImage[File]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def check_classes(self, where: str) -> None:
        """Raise InputError unless there are at least two."""
        names = class_order(item.label for item in self.items)
        if len(names) < 2:
            first = f"; left out: {': '.join(self.left_out[0])}" if self.left_out else ""
            raise InputError(
                f"{where} holds the class(es) {quote(list(names), 90)}; a classifier needs at "
                f"least two{first}"
            )


def check_told(where: str, label: str, group: str) -> None:
    """Raise InputError for a label or a group that says that there is none."""
    if is_no_label(label):
        raise InputError(
            f"{where}: label {quote(label)} stands for no label; give every image one, or take it "
            "out"
        )
    if group and is_no_group(group):
        raise InputError(
            f"{where}: group {quote(group)} stands for no group, and such images would become one; "
            "leave it empty"
        )
