"""Published variants as files, configs/variants/NAME.yaml, to copy and to change.

They are written from `published.py`: ``python -m hybrid_swin.cost.variant_files``.
"""

import textwrap
from pathlib import Path

from hybrid_swin.cost import count_cost
from hybrid_swin.spec.published import names, published, source_of

FOLDER = Path(__file__).parents[2] / "configs" / "variants"


def file_text(name: str) -> str:
    """A variant's file: where it is from and what it costs, then its fields."""
    variant = published(name)
    cost = count_cost(variant)
    says = [
        f"{name}: {source_of(name)}.",
        f"{cost.parameters:,} parameters; {cost.macs:,} MACs and {cost.activations:,} activations "
        "for one image.",
        "Written by python -m hybrid_swin.cost.variant_files; change a copy.",
    ]
    lines = [line for text in says for line in textwrap.wrap(text, 98, break_on_hyphens=False)]
    return "".join(f"# {line}\n" for line in lines) + variant.to_yaml()


def write_files(folder: Path = FOLDER) -> None:
    """Write all files, and remove those of names that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.yaml"):
        if file.stem not in names():
            file.unlink()
    for name in names():
        (folder / f"{name}.yaml").write_text(file_text(name), encoding="utf-8")


if __name__ == "__main__":
    write_files()
