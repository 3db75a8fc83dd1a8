"""What a machine of the cluster is checked for, and its one worker."""

import pytest

from search.execution.job import Place
from search.execution.ray_cluster import workplace
from search.execution.ray_cluster.opening import differences, opening_of, versions
from search.execution.ray_cluster.workplace import unfit
from search.settings.experiment import WorkerSettings

OWN = "hybrid-swin's code"


@pytest.fixture
def request_(tmp_path, monkeypatch):
    """What an actor is told, of a study's folder that this machine sees."""
    monkeypatch.setattr(workplace, "_PATIENCE", 0.0)
    (tmp_path / "logs").mkdir()
    place = Place(tmp_path, WorkerSettings(count=2), None, print, None)
    opening = opening_of(place, {"CPU": 1.0}, "auto")
    (tmp_path / "logs" / opening["nonce"].rpartition("/")[2]).write_text("the word")
    return opening | {"word": "the word", "machine": "node-7", "name": "node-7-0"}


def test_a_machine_with_the_same_versions_that_sees_the_folder_is_fit(request_, tmp_path):
    assert unfit(request_) == ""
    assert len(list((tmp_path / "logs").iterdir())) == 1  # the trace of writing is removed


def test_another_folder_at_the_same_path_is_refused(request_, tmp_path):
    said = unfit(request_ | {"word": "another word"})
    assert said == (
        f"machine node-7 does not see the study's folder {tmp_path}; put it on a file system that "
        "all machines mount at the same path, and name that by --folder"
    )


def test_a_folder_that_cannot_be_written_is_refused(request_, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.write_text", refuse)
    assert "node-7 cannot write into the study's folder" in unfit(request_)
    assert "(Read-only file system)" in unfit(request_)


def test_other_versions_are_refused_each_with_ours(request_):
    here = request_["versions"] | {"torch": "1.13.0", OWN: "0123456789"}
    said = unfit(request_ | {"versions": here})
    now = versions()
    assert said == (
        f"machine node-7 has other versions: torch {now['torch']} (here 1.13.0), hybrid-swin's "
        f"code {now[OWN]} (here 0123456789); install the "
        "same on all machines"
    )
    assert differences({"ray": "2.60.0"}, {}) == "ray None (here 2.60.0)"
