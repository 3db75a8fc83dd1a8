import importlib.util
from pathlib import Path

import pytest

# loaded by path: tests are no package, and a package named "tests" may be installed
_spec = importlib.util.spec_from_file_location(
    "study_factory", Path(__file__).with_name("study_factory.py")
)
study_factory = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(study_factory)


@pytest.fixture
def make_study(tmp_path):
    """An empty study folder and the factory that fills it."""
    return lambda name="digits", **settings: study_factory.StudyFactory(tmp_path / name, **settings)


@pytest.fixture
def whole_study(tmp_path):
    """A finished study with finalists, ties, a baseline, stopped and failed trials."""
    return lambda name="digits", **settings: study_factory.whole_study(tmp_path / name, **settings)


@pytest.fixture(scope="session")
def studies():
    """The factory's module, for fixtures that live longer than one test."""
    return study_factory
