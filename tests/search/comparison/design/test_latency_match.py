import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.spec.stage import Stage
from hybrid_swin.spec.variant import Variant
from hybrid_swin.system.files import read_json
from search.comparison.design import latency_match as module
from search.comparison.design.latency_match import LATENCY_FILE, LatencyMatch
from search.settings.comparison import MatchSettings

TARGET = Variant(16, 1, 10, 2, 4, 2.0, (Stage(64, 1, 4, ("w_msa",)),))
WIDER = Variant(16, 1, 10, 2, 4, 2.0, (Stage(64, 1, 4, ("w_msa+conv",)),))


@pytest.fixture
def settings(fake, tmp_path):
    given = fake.settings(folder=str(tmp_path), match=MatchSettings(by=("latency",), tolerance=0.3))
    given.path.mkdir(parents=True)
    return given


def test_what_was_measured_is_kept_and_never_measured_again(settings, monkeypatch):
    clock = LatencyMatch(settings, settings.path)
    matched = clock(WIDER, TARGET)
    assert abs(matched.residuals["latency"]) <= 0.3
    assert "of its time" in matched.adjuster
    clock.save(settings.path)
    about = read_json(settings.path / LATENCY_FILE)["setup"]
    assert about == {"device": "cpu", "threads": settings.workers.threads, "batch": 8}
    monkeypatch.setattr(module, "compare_times", None)
    again = LatencyMatch(settings, settings.path)(WIDER, TARGET)
    assert again == matched


def test_what_is_only_read_is_not_measured(settings):
    with pytest.raises(InputError, match="does not know a network as quick"):
        LatencyMatch(settings, settings.path, measures=False)(WIDER, TARGET)
