"""What is silenced, and that nothing else is."""

import logging
import warnings

import pytest

from hybrid_swin.training.quiet import quiet

WORKERS = "The 'val_dataloader' does not have many workers which may be a bottleneck."


def test_only_the_named_warnings_are_silenced():
    with quiet():
        warnings.warn(WORKERS, stacklevel=1)
        with pytest.warns(UserWarning, match="something else"):
            warnings.warn("something else", stacklevel=1)
    with pytest.warns(UserWarning, match="many workers"):
        warnings.warn(WORKERS, stacklevel=1)


def test_a_cluster_with_srun_is_no_reason_to_warn(tmp_path, monkeypatch):
    """Lightning's own check, so that a change of its words shows here."""
    from lightning.fabric.plugins.environments import SLURMEnvironment

    srun = tmp_path / "srun"
    srun.write_text("#!/bin/sh\n")
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    with pytest.warns(UserWarning, match="srun"):
        SLURMEnvironment.detect()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quiet():
            SLURMEnvironment.detect()


def test_loggers_get_their_level_back_also_after_an_error():
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    before = logger.level
    with pytest.raises(ValueError, match="inside"), quiet():
        assert logger.level == logging.WARNING
        raise ValueError("inside")
    assert logger.level == before
