"""The weights that trainings start from, as an experiment is tied to them."""

from typing import NamedTuple


class FirstWeights(NamedTuple):
    """A file of weights; of no file where trainings start anew."""

    file: str = ""  # absolute: every machine looks for it there
    hash: str = ""
    prefix: str | None = None  # which network of the file


ANEW = FirstWeights()
