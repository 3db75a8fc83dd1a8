"""Whatever stands in a space or a study's file: it is taken whole, or refused in one sentence."""

import copy
import random

import pytest
import yaml

from hybrid_swin.errors import InputError
from search.settings.config_files import find_config
from search.settings.reading import read_config_as
from search.settings.study import StudySettings
from search.space.space import Space

SPACE = {
    "variant": {
        "image_size": 16,
        "patch_size": 2,
        "window_size": 4,
        "mlp_ratio": {"choose": [4.0, 2.0]},
        "stages": [
            {
                "width": {"choose": [32, 24, 48]},
                "depth": {"from": 1, "to": 3, "step": 1},
                "num_heads": {"times": ["stages.0.width", 0.125]},
                "blocks": {"choose": [["w_msa"], ["w_msa+mdta"]]},
            },
            {
                "width": {"times": ["stages.0.width", 2]},
                "depth": {"same_as": "stages.0.depth"},
                "num_heads": 8,
                "blocks": ["conv"],
            },
        ],
    },
    "recipe": {"epochs": 3, "learning_rate": {"from": 1e-4, "to": 1e-2, "log": True}},
}
IN_SPACES = (
    *(None, True, 0, -1, 3, 0.5, 1e308, float("nan"), 10**30, "", "w_msa", "stages.0.width"),
    *([], [[]], ["conv"], [3, {}], {}, {"a": 1}, {"0": {"1": 2}}, {"choose": []}, {"from": 1}),
    *({"choose": [1, 2]}, {"choose": [["conv"], None]}, {"from": 1, "to": 3, "step": 1}),
    *({"same_as": "stages.1.width"}, {"times": ["stages.0.depth", 2]}, {"same_as": []}),
    *({"times": ["mlp_ratio", 1e300]}, {"from": 0.5, "to": 2.5}, {"choose": [{"width": 3}]}),
)
IN_FILES = (
    *(None, True, 0, -3, 2.5, 1e300, "", "x", "tpe", "val/loss", "2M", [], [[]], [3], ["a"], {}),
    *({"a": 1}, {"name": None}, {"choose": [1, 2]}, [{"set": {"a": 1}}], [None], {1: 2}),
    *({"class_path": "os.system", "init_args": {"command": "true"}}, {"__path__": "x"}),
)


@pytest.mark.parametrize("seed", range(20))
def test_no_garbage_in_a_space_raises_anything_but_an_input_error(seed, spoil):
    rng = random.Random(seed)
    refused = 0
    for _ in range(20):
        content = copy.deepcopy(SPACE)
        for _ in range(rng.randint(1, 2)):
            spoil(content["variant" if rng.random() < 0.8 else "recipe"], rng, IN_SPACES)
        try:
            found = Space(content["variant"], content["recipe"])
        except InputError as error:
            refused += 1
            assert str(error)
        else:
            assert found.resolve(found.default())[0].id
    assert refused > 5


@pytest.mark.parametrize("seed", range(20))
def test_no_garbage_in_changes_raises_anything_but_an_input_error(seed):
    rng = random.Random(seed)
    found = Space(SPACE["variant"], SPACE["recipe"])
    paths = ["stages", "stages.0", "stages.1", "recipe", "", "a.b", ".", "stages.0.blocks.0", 3]
    for _ in range(20):
        changes = {
            rng.choice([*paths, *found.leaves]): rng.choice(IN_SPACES)
            for _ in range(rng.randint(1, 3))
        }
        try:
            assert found.resolve(found.default(), changes)[0].id
        except InputError as error:
            assert str(error)


@pytest.mark.parametrize("seed", range(10))
def test_no_garbage_in_a_file_raises_anything_but_an_input_error(seed, spoil, tmp_path):
    rng = random.Random(seed)
    valid = yaml.safe_load(find_config("digits").read_text())
    valid |= {"sampler": {"name": "tpe"}, "workers": {"count": 1}, "wandb": {"tags": ["a"]}}
    path = tmp_path / "mine.yaml"
    for _ in range(12):
        content = copy.deepcopy(valid)
        spoil(content, rng, IN_FILES)
        path.write_text(yaml.safe_dump(content))
        try:
            settings = read_config_as(str(path), StudySettings)
        except InputError as error:
            assert str(error)
        else:
            assert isinstance(settings, StudySettings)
            assert settings.to_dict()
