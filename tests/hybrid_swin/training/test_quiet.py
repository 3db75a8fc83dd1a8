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


def test_loggers_get_their_level_back_also_after_an_error():
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    before = logger.level
    with pytest.raises(ValueError, match="inside"), quiet():
        assert logger.level == logging.WARNING
        raise ValueError("inside")
    assert logger.level == before
