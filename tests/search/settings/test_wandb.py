from pathlib import Path

import pytest

from hybrid_swin.errors import InputError
from search.settings.wandb import WandbSettings, check_environment, place

NETRC = "machine api.wandb.ai\n  login user\n  password not-a-real-key\n"


def placed(environment, **settings):
    return place(WandbSettings(**settings), "digits", Path("runs/digits"), environment)


def test_defaults_need_no_account(tmp_path):
    where = placed({"HOME": str(tmp_path)})
    assert (where.mode, where.entity, where.project) == ("offline", None, "hybrid-swin")
    assert (where.group, where.tags, where.dir) == ("digits", (), Path("runs/digits"))


@pytest.mark.parametrize(
    ("environment", "mode"),
    [
        ({"WANDB_API_KEY": "x"}, "online"),
        ({"WANDB_API_KEY": ""}, "offline"),
        ({"WANDB_API_KEY": "x", "WANDB_MODE": "offline"}, "offline"),
        ({"WANDB_MODE": "disabled"}, "disabled"),
        ({"WANDB_MODE": "dryrun"}, "offline"),
        ({"WANDB_MODE": "online"}, "online"),
    ],
)
def test_auto_follows_the_environment(tmp_path, environment, mode):
    assert placed({"HOME": str(tmp_path), **environment}).mode == mode


@pytest.mark.parametrize("mode", ["online", "offline", "disabled"])
def test_a_mode_that_is_given_wins(tmp_path, mode):
    environment = {"HOME": str(tmp_path), "WANDB_MODE": "online", "WANDB_API_KEY": "x"}
    assert placed(environment, mode=mode).mode == mode


@pytest.mark.parametrize("name", [".netrc", "_netrc", "elsewhere"])
def test_a_known_server_in_netrc_means_online(tmp_path, name):
    file = tmp_path / name
    file.write_text(NETRC)
    file.chmod(0o600)
    environment = {"HOME": str(tmp_path)}
    if name == "elsewhere":
        assert placed(environment).mode == "offline"
        environment["NETRC"] = str(file)
    assert placed(environment).mode == "online"
    assert placed({**environment, "WANDB_BASE_URL": "https://wandb.my-lab.org"}).mode == "offline"


def test_a_broken_netrc_means_offline(tmp_path):
    (tmp_path / ".netrc").write_text("machine\n\x00 nonsense {")
    assert placed({"HOME": str(tmp_path)}).mode == "offline"


def test_variables_fill_in_and_settings_win(tmp_path):
    environment = {
        "HOME": str(tmp_path),
        "WANDB_ENTITY": "team",
        "WANDB_PROJECT": "theirs",
        "WANDB_RUN_GROUP": "group",
        "WANDB_TAGS": "a,b",
        "WANDB_DIR": "/somewhere",
    }
    where = placed(environment)
    assert (where.entity, where.project, where.group) == ("team", "theirs", "group")
    assert (where.tags, where.dir) == (("a", "b"), Path("/somewhere"))
    where = placed(
        environment, entity="me", project="mine", group="g", tags=("c",), dir=str(tmp_path)
    )
    assert (where.entity, where.project, where.group) == ("me", "mine", "g")
    assert (where.tags, where.dir) == (("c",), tmp_path)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WANDB_PROJECT": "a/b"}, "environment variable WANDB_PROJECT 'a/b' holds /"),
        ({"WANDB_PROJECT": "p" * 129}, "WANDB_PROJECT must have 1 to 128 characters"),
        ({"WANDB_ENTITY": "team#1"}, "WANDB_ENTITY 'team#1' holds #"),
        ({"WANDB_RUN_GROUP": "g" * 200}, "WANDB_RUN_GROUP must have 1 to 128 characters"),
        ({"WANDB_TAGS": "good," + "t" * 65}, "WANDB_TAGS have 1 to 64 characters each"),
        ({"WANDB_TAGS": "\x1b[31m"}, "WANDB_TAGS have 1 to 64 characters each, none of them a"),
        ({"WANDB_MODE": "ofline"}, "did you mean 'offline'"),
    ],
)
def test_the_environment_is_checked_before_any_work(variables, message):
    with pytest.raises(InputError, match=message):
        check_environment(WandbSettings(), variables)
    if "WANDB_MODE" not in variables:
        check_environment(WandbSettings(), variables | {"WANDB_MODE": "disabled"})
    check_environment(WandbSettings(mode="disabled"), variables)


def test_a_variable_that_a_setting_replaces_is_not_checked():
    settings = WandbSettings(mode="offline", project="p", entity="e", group="g", tags=("t",))
    names = ("PROJECT", "ENTITY", "RUN_GROUP", "TAGS", "MODE")
    check_environment(settings, {f"WANDB_{name}": "/" * 200 for name in names})
