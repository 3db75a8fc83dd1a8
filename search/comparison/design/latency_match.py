"""Matching by the clock, measured once a comparison: a second look would find other widths."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybrid_swin.cost import count_cost
from hybrid_swin.cost.latency_solver import Measured, match_latency
from hybrid_swin.errors import InputError
from hybrid_swin.profiling.timing import Setup, compare_times
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.files import write_json_atomically
from hybrid_swin.system.schema import SchemaError, build, check_version
from hybrid_swin.training.hardware import resolve_accelerator
from search.comparison.design.matching import MatchedNetwork
from search.records.runs import SCHEMA_VERSION, read_record
from search.settings.comparison import ComparisonSettings

LATENCY_FILE = "latency.json"
CLOCK_TOLERANCE = 0.05  # the clock is no better
_BATCH, _ROUNDS = 8, 10


@dataclass(frozen=True)
class _Network:
    """What the file says of one network: itself, how far its costs are off, what was adjusted."""

    variant: dict[str, Any]
    residuals: dict[str, float]
    adjuster: str


class LatencyMatch:
    """Makes networks as quick as others, interleaved; knows what it found before.

    Args:
        settings: of the comparison.
        folder: what was found there before is taken.
        measures: whether what is not known is measured; a comparison that is read only is not.

    Raises:
        InputError: what was found there before cannot be read.
    """

    def __init__(self, settings: ComparisonSettings, folder: Path, measures: bool = True) -> None:
        workers = settings.workers
        device = resolve_accelerator(workers.accelerator)
        self._setup = Setup("cuda" if device == "gpu" else device, workers.threads, _BATCH)
        self._tolerance = max(CLOCK_TOLERANCE, settings.match.tolerance)
        self._measures = measures
        path = folder / LATENCY_FILE
        self._known = read_record(path, _networks) if path.exists() else {}

    def __call__(self, variant: Variant, target: Variant) -> MatchedNetwork:
        """The first network, as quick as the second.

        Raises:
            InputError: it cannot be, or it is not known and must not be measured.
        """
        key = f"{variant.id} as quick as {target.id}"
        if key not in self._known and not self._measures:
            raise InputError(f"{LATENCY_FILE} of the comparison does not know a network as quick")
        if key not in self._known:
            self._known[key] = self._measure(variant, target)
        match = self._known[key]
        return MatchedNetwork(
            Variant.from_dict(match["variant"]), match["residuals"], match["adjuster"]
        )

    def save(self, folder: Path) -> None:
        """Keep what was found in the comparison's folder, for when it goes on."""
        about = {"device": self._setup.device, "threads": self._setup.threads, "batch": _BATCH}
        write_json_atomically(
            folder / LATENCY_FILE,
            {"schema_version": SCHEMA_VERSION, "setup": about, "found": self._known},
        )

    def _measure(self, variant: Variant, target: Variant) -> dict[str, Any]:
        def ratio(candidate: Variant) -> Measured:
            timing = compare_times([target, candidate], "forward", self._setup, _ROUNDS)[-1]
            return Measured(timing.ratio, timing.ratio_iqr)

        match, time = match_latency(
            variant, 1.0, ratio, reference=count_cost(target), tolerance=self._tolerance
        )
        residuals = match.residuals | {"latency": time.value - 1}
        noise = f"takes {time.value:.3f} of its time (IQR {time.noise:.2g})"
        return {
            "variant": match.variant.to_dict(),
            "residuals": residuals,
            "adjuster": f"{match.adjuster}; {noise}",
        }


def _networks(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the file says, whole; raises as `build`, also where a network cannot be."""
    check_version(content, SCHEMA_VERSION)
    networks = content.get("found")
    if not isinstance(networks, dict) or any(not isinstance(n, dict) for n in networks.values()):
        raise SchemaError("found is not a mapping of networks; delete it to have them timed again")
    for one in networks.values():
        Variant.from_dict(build(_Network, one).variant)
    return networks
