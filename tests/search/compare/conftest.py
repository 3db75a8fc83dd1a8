import importlib.util
from pathlib import Path

import pytest

# loaded by path: tests are no package, and a package named "tests" may be installed
_spec = importlib.util.spec_from_file_location(
    "comparison_factory", Path(__file__).with_name("comparison_factory.py")
)
comparison_factory = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(comparison_factory)


@pytest.fixture(scope="session")
def fake():
    """What makes comparisons without training: runs of a real plan, or results by hand."""
    return comparison_factory
