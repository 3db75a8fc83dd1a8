"""``time_limit.json``: what was decided so that a study or comparison ends in time.

The clock decides how many trials or seeds there are, and a clock says something else every time. So
each decision is written down when it is made, and a start that goes on repeats it: results stay a
function of the settings, the seed and this file.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hybrid_swin.system.files import MissingFileError, write_json_atomically
from search.records.runs import parsed_as, read_record
from search.settings.experiment import SCHEMA_VERSION

TIME_LIMIT_FILE = "time_limit.json"
_OPEN = ("trials", "seeds", "top")  # left out of the file where nothing was cut
LEAST_SEEDS = 3  # that are planned: fewer can hardly show a difference


@dataclass(frozen=True)
class TimeLimit:
    """The decisions of one study or comparison."""

    hours: float  # that were given
    planned_trials: int  # that fitted by the pilot; 0 in a comparison
    planned_seeds: int  # that fitted by the pilot
    trials: int = 0  # that were asked for when time ran out; 0 as long as that is open
    seeds: int = 0  # that were trained when time ran out; 0 as long as that is open
    pace: dict[str, Any] = field(default_factory=dict)  # what the pilot measured
    why: tuple[str, ...] = ()  # one sentence for each decision
    top: int = 0  # of the best that were retrained, if time was too short for all; 0: all


def read_time_limit(folder: Path) -> TimeLimit | None:
    """The decisions in a folder; None if there are none. Raises as `read_record`."""
    parse = parsed_as(TimeLimit, planned_trials=0, planned_seeds=0)
    try:
        return read_record(folder / TIME_LIMIT_FILE, parse)
    except MissingFileError:
        return None


def write_time_limit(folder: Path, limit: TimeLimit) -> None:
    """Write the decisions. Raises FileError where the system refuses."""
    decided = {k: v for k, v in asdict(limit).items() if v or k not in _OPEN}
    content = {"schema_version": SCHEMA_VERSION, **decided}
    write_json_atomically(folder / TIME_LIMIT_FILE, content)
