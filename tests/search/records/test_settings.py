"""``settings.yaml`` read back: whole, of this study, or named as damaged."""

import pytest
import yaml

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import DamagedFileError
from search.records.settings import SETTINGS_FILE, read_data, read_study
from search.records.study_folder import bind_settings
from search.settings.study import FinalistSettings, StudyObjective, StudySettings


@pytest.fixture
def study(tmp_path):
    settings = StudySettings(
        name="mine",
        folder=str(tmp_path),
        objective=StudyObjective("val/loss", "min"),
        finalists=FinalistSettings(seeds=9),
    )
    settings.path.mkdir()
    bind_settings(settings, {}, {}, {"owner": "me"})
    return settings


def test_no_cut_at_the_end_of_a_line_is_taken_for_other_settings(study):
    """YAML of which the end is missing is YAML: of another objective, of other numbers of seeds."""
    path = study.path / SETTINGS_FILE
    lines = path.read_text().splitlines(keepends=True)
    assert read_study(study.path) == study
    for count in range(len(lines)):
        path.write_text("".join(lines[:count]))
        with pytest.raises(DamagedFileError, match="the command that began it writes it again"):
            read_study(study.path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "another"}, "name is 'another', but 'mine' in study.json"),
        ({"objective": {"monitor": "val/accuracy", "mode": "min"}}, "objective.monitor is"),
        ({"schema_version": None}, "schema_version must be 1; got None"),
    ],
)
def test_settings_of_another_study_are_named(study, change, reason):
    path = study.path / SETTINGS_FILE
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    with pytest.raises(DamagedFileError, match=reason):
        read_study(study.path)


def test_what_is_free_to_change_may_differ(study):
    path = study.path / SETTINGS_FILE
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"trials": 99}))
    assert read_study(study.path).trials == 99


@pytest.mark.parametrize(
    "options", [{"memory": "32"}, {"time": "4:00"}, {"arguments": ["-Mgpu"]}, {"gone": 1}]
)
def test_options_of_an_executor_that_are_refused_today_do_not_close_a_folder(study, options):
    path = study.path / SETTINGS_FILE
    executor = {"executor": {"name": "slurm", **options}}
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | executor))
    assert read_study(study.path).executor == {"name": "slurm"}


@pytest.mark.parametrize("damage", [b"", b"[" * 100_000, b"\xff\xfe", b"a: [", b"- 1", None])
def test_damaged_settings_are_set_aside_and_written_again(study, damage):
    path, said = study.path / SETTINGS_FILE, []
    whole = path.read_bytes()
    path.unlink()
    path.mkdir() if damage is None else path.write_bytes(damage)
    for read in (read_study, read_data):
        with pytest.raises(DamagedFileError, match=SETTINGS_FILE):
            read(study.path)
    bind_settings(study, {}, {}, {"owner": "me"}, said.append)
    assert path.read_bytes() == whole
    assert (study.path / "settings.yaml.torn").exists()
    assert len(said) == 1 and "settings.yaml.torn" in said[0] and len(said[0]) < 320


def test_missing_settings_of_a_study_that_has_begun_are_no_missing_study(study, tmp_path):
    (study.path / SETTINGS_FILE).unlink()
    with pytest.raises(DamagedFileError, match="missing; the command that began it"):
        read_study(study.path)
    with pytest.raises(InputError, match=r"is .* the folder of a study"):
        read_study(tmp_path)
    assert read_data(tmp_path) is None


def test_settings_of_a_later_program_are_refused_and_stay(study):
    path = study.path / SETTINGS_FILE
    path.write_text("schema_version: 99")
    for read in (read_study, lambda folder: bind_settings(study, {}, {}, {"owner": "me"})):
        with pytest.raises(InputError, match="99 is of a later program"):
            read(study.path)
    assert path.read_text() == "schema_version: 99"
