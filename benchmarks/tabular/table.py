"""The table of the tabular benchmark: what every training of its space came to, epoch by epoch."""

import csv
import gzip
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.errors import InputError, unknown

HERE = Path(__file__).parent
CURVES, SPACE = HERE / "curves.csv.gz", HERE / "space.yaml"
_OWN = ("candidate", "seed", "seconds", "parameters", "macs")  # between parameters and metrics


@dataclass(frozen=True)
class Training:
    """One candidate, trained to its end with one seed: seconds, costs, each metric by epoch."""

    candidate: str
    seed: int
    seconds: float
    parameters: int
    macs: int
    curves: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        readings = [value for curve in self.curves.values() for value in curve]
        if not self.curves or not readings or len({len(c) for c in self.curves.values()}) > 1:
            raise InputError(f"candidate {self.candidate}, seed {self.seed}: curves of no length")
        if not self.seconds > 0 or not all(map(math.isfinite, readings)):
            raise InputError(f"candidate {self.candidate}, seed {self.seed}: not finite")

    @property
    def epochs(self) -> int:
        """How many it was trained for."""
        return len(next(iter(self.curves.values())))

    def cost(self, epochs: int) -> float:
        """Seconds that the first epochs took, as a share of all."""
        return self.seconds * epochs / self.epochs


class Table:
    """Every candidate of a space with every seed.

    Args:
        trainings: each once.
        params: each candidate's parameters by path.

    Raises:
        InputError: a training is missing, there twice, or of another length than the others.
    """

    def __init__(
        self, trainings: Iterable[Training], params: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._trainings: dict[tuple[str, int], Training] = {}
        for training in trainings:
            key = training.candidate, training.seed
            if key in self._trainings:
                raise InputError(f"candidate {key[0]} with seed {key[1]} is in the table twice")
            self._trainings[key] = training
        self.candidates = tuple(dict.fromkeys(candidate for candidate, _ in self._trainings))
        self.seeds = tuple(sorted({seed for _, seed in self._trainings}))
        for candidate in self.candidates:
            for seed in self.seeds:
                if (candidate, seed) not in self._trainings:
                    raise InputError(f"candidate {candidate} with seed {seed} is not in the table")
        lengths = {training.epochs for training in self._trainings.values()}
        if len(lengths) != 1:
            raise InputError(f"trainings of {sorted(lengths)} epochs; a table has those of one")
        [self.epochs] = lengths
        self._by_params = {_key(params[candidate]): candidate for candidate in self.candidates}

    @classmethod
    def read(cls, file: Path = CURVES) -> Self:
        """The table in a file that ``train_table.py`` wrote.

        Raises:
            InputError: as the class does, or a file without its columns.
        """
        lines = csv.reader(io.StringIO(gzip.decompress(file.read_bytes()).decode()))
        head = next(lines, [])
        if "candidate" not in head or head[(at := head.index("candidate")) :][:5] != [*_OWN]:
            raise InputError(f"{file.name} has no columns {', '.join(_OWN)}; make it again")
        params: dict[str, dict[str, str]] = {}
        trainings = []
        for line in lines:
            candidate, seed, seconds, parameters, macs, *curves = line[at:]
            params[candidate] = dict(zip(head[:at], line[:at], strict=True))
            read = [tuple(map(float, curve.split())) for curve in curves]
            named = dict(zip(head[at + len(_OWN) :], read, strict=True))
            trainings.append(
                Training(candidate, int(seed), float(seconds), int(parameters), int(macs), named)
            )
        return cls(trainings, params)

    def training(self, candidate: str, seed: int) -> Training:
        """One training.

        Raises:
            InputError: an unknown candidate or seed.
        """
        if (candidate, seed) not in self._trainings:
            if candidate not in self.candidates:
                raise unknown("candidate", candidate, self.candidates)
            raise InputError(f"unknown table seed {seed}; the table has {self.seeds}")
        return self._trainings[candidate, seed]

    def candidate_of(self, params: Mapping[str, Any]) -> str:
        """The candidate of these parameters.

        Raises:
            InputError: none has them.
        """
        found = self._by_params.get(_key(params))
        if found is None:
            raise InputError(f"no candidate of the table has {dict(params)}")
        return found

    def finals(self, metric: str, seeds: Sequence[int]) -> NDArray[np.float64]:
        """A metric at the last epoch, mean over these seeds, in the order of ``candidates``."""
        return np.array(
            [
                np.mean([self.training(c, seed).curves[metric][-1] for seed in seeds])
                for c in self.candidates
            ]
        )


def _key(params: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Values as they stand in a file."""
    return tuple(sorted((path, str(value)) for path, value in params.items()))
