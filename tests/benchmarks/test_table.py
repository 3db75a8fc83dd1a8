"""The table: what stands in its file, and what it refuses."""

import dataclasses
import gzip

import numpy as np
import pytest

from benchmarks.tabular.table import Table, Training
from hybrid_swin.errors import InputError


def training(candidate="a", seed=0, curve=(0.5, 0.8), seconds=10.0):
    return Training(candidate, seed, seconds, 100, 1000, {"val/accuracy": curve})


def test_it_holds_what_was_trained(table, ended):
    assert len(table.candidates) == 270
    assert table.seeds == (0, 1, 2)
    assert table.epochs == 18
    for spec, result in ended[::37]:
        assert table.candidate_of(spec.params) == spec.candidate_id
        found = table.training(spec.candidate_id, spec.seed_index)
        assert found.seconds == pytest.approx(result.seconds["fit"], abs=1e-3)
        assert (found.parameters, found.macs) == (spec.cost["parameters"], spec.cost["macs"])
        for metric in ("val/accuracy", "val/loss"):
            curve = [epoch[metric] for epoch in result.history]
            assert found.curves[metric] == pytest.approx(curve, abs=1e-5)


def test_finals_are_means_over_seeds_at_the_last_epoch():
    table = Table(
        [training("a", 0, (0.9, 0.1)), training("a", 1, (0.9, 0.3)), training("b", 0),
         training("b", 1)],
        {"a": {"x": 1}, "b": {"x": 2}},
    )  # fmt: skip
    np.testing.assert_allclose(table.finals("val/accuracy", [0, 1]), [0.2, 0.8])
    np.testing.assert_allclose(table.finals("val/accuracy", [1]), [0.3, 0.8])
    assert table.training("a", 0).cost(1) == 5.0


@pytest.mark.parametrize(
    ("trainings", "message"),
    [
        ([training(), training()], "twice"),
        ([training("a", 0), training("b", 1)], "not in the table"),
        ([training("a"), training("b", curve=(0.1, 0.2, 0.3))], r"\[2, 3\] epochs"),
    ],
)
def test_a_table_with_holes_is_refused(trainings, message):
    with pytest.raises(InputError, match=message):
        Table(trainings, {"a": {}, "b": {}})


@pytest.mark.parametrize("changes", [{"curve": ()}, {"curve": (0.1, np.nan)}, {"seconds": 0.0}])
def test_a_training_that_says_nothing_is_refused(changes):
    with pytest.raises(InputError, match="candidate a, seed 0"):
        training(**changes)


def test_curves_of_different_lengths_are_refused():
    with pytest.raises(InputError, match="no length"):
        dataclasses.replace(training(), curves={"val/accuracy": (0.1,), "val/loss": (0.1, 0.2)})


def test_what_is_not_there_is_named(table):
    with pytest.raises(InputError, match="unknown candidate 'none'"):
        table.training("none", 0)
    with pytest.raises(InputError, match="unknown table seed 7"):
        table.training(table.candidates[0], 7)
    with pytest.raises(InputError, match="no candidate"):
        table.candidate_of({"mlp_ratio": 2})


def test_another_file_is_refused(tmp_path):
    file = tmp_path / "other.csv.gz"
    file.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(InputError, match="no columns candidate, seed"):
        Table.read(file)
