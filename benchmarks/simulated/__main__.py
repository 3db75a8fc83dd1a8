"""Do the statistics keep their word where the truth is known? Coverage and false alarms.

Command: ``python -m benchmarks.simulated`` (1,000 replays a cell of the grid; some 40 minutes of
one core, ``--jobs 2`` halves it; ``--replays 100`` for a first look).

`worlds` says what is simulated, `coverage` which intervals, `families` which tables. Writes
``benchmarks/results/simulated.json`` and ``.md``.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.simulated import coverage, families
from benchmarks.writing import write_report

OUT = Path(__file__).parents[1] / "results" / "simulated"


def main() -> None:
    """Simulate, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replays", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument(
        "--steep", action="store_true", help="only very large luck; the rest stays as it was"
    )
    options = parser.parse_args()
    n = options.replays
    with ProcessPoolExecutor(options.jobs) as pool:
        steep = [pool.submit(coverage.cell, place, n) for place in coverage.steep_places()]
        if options.steep:
            known = json.loads(options.out.with_suffix(".json").read_text())
            write(options.out, {**known, "steep": [job.result() for job in steep]})
            return
        covered = [pool.submit(coverage.cell, place, n) for place in coverage.places()]
        boards = [pool.submit(families.board, *place, n) for place in families.places()]
        rates = {
            f"{seeds} seeds, {'anew' if anew else 'once'}": pool.submit(
                families.learning_rates, seeds, 360, n, anew
            )
            for seeds in families.SEEDS
            for anew in (True, False)
        }
        growing = {
            str(list(planned)): pool.submit(families.growing, planned, 360, n)
            for planned in (families.LOOKS, families.LOOKS[:1])
        }
        report: dict[str, Any] = {
            "replays": n,
            "coverage": [job.result() for job in covered],
            "steep": [job.result() for job in steep],
            "boards": [job.result() for job in boards],
            "learning_rates": {name: job.result() for name, job in rates.items()},
            "growing": {name: job.result() for name, job in growing.items()},
        }
    write(options.out, report)


def write(out: Path, report: dict[str, Any]) -> None:
    """Both files of a report."""
    grid = coverage.table(report["coverage"], report["replays"])
    text = ["# Simulated coverage and false alarms", "", *grid, ""]
    text += [*coverage.steep_table(report["steep"]), *families.tables(report)]
    write_report(out, report, "\n".join(text) + "\n")


if __name__ == "__main__":
    main()
