"""``init`` as it may be written, in studies and comparisons, today and before."""

import json

import pytest

from hybrid_swin.errors import InputError
from hybrid_swin.system.schema import build_settings
from search.settings.comparison import ComparisonSettings
from search.settings.first_weights import InitSettings
from search.settings.reading import read_config_as
from search.settings.study import StudySettings

CONTROL = {"match": {"by": ["control"]}}


@pytest.mark.parametrize("kind", [StudySettings, ComparisonSettings])
def test_a_path_is_short_for_a_mapping_with_it(kind):
    more = CONTROL if kind is ComparisonSettings else {}
    short = build_settings(kind, {"init": "a.pth", **more})
    spelt = build_settings(kind, {"init": {"weights": "a.pth", "layout": "auto"}, **more})
    assert short == spelt and short.to_dict()["init"] == "a.pth"
    whole = build_settings(kind, {"init": {"weights": "a.pth", "prefix": "ema"}, **more})
    assert whole.first_weights == InitSettings("a.pth", prefix="ema")
    assert build_settings(kind, whole.to_dict()) == whole
    assert build_settings(kind, more).first_weights is None


def test_what_older_comparisons_wrote_beside_the_path_means_the_same():
    older = {"init": "a.pth", "weights_prefix": "ema", "follow_source": True, **CONTROL}
    settings = build_settings(ComparisonSettings, older)
    assert settings.first_weights == InitSettings("a.pth", prefix="ema", follow_source=True)
    assert settings.to_dict()["init"] == "a.pth"


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ({"layout": "timm"}, "init.weights is missing"),
        ({"weights": "a.pth", "layout": "keras"}, "init.layout must be one of auto, microsoft"),
        ({"weights": ""}, "init.weights is empty"),
        ({"weights": "a.pth", "widths": 3}, "unknown setting of init 'widths'"),
        (3, "init must be text or a mapping with settings such as weights:, layout:"),
    ],
)
def test_what_it_cannot_be_is_refused(init, message):
    with pytest.raises(InputError, match=message):
        build_settings(StudySettings, {"init": init})


def test_a_receipt_finds_the_file_from_any_folder(tmp_path, monkeypatch):
    (tmp_path / "a.pth").write_bytes(b"")
    for init in ("a.pth", {"weights": "a.pth", "prefix": "ema"}):
        content = {"settings": {"name": "s", "init": init}, "code_hash": "0"}
        receipt = tmp_path / "receipt.json"
        receipt.write_text(json.dumps(content | {"working_folder": str(tmp_path)}))
        monkeypatch.chdir(tmp_path.parent)
        moved = read_config_as(str(receipt), StudySettings).first_weights
        assert moved.weights == str(tmp_path / "a.pth")
        monkeypatch.chdir(tmp_path)
        assert read_config_as(str(receipt), StudySettings).first_weights.weights == "a.pth"
