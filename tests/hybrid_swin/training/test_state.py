"""States on disk: whole or not at all."""

import errno
import os
import threading
from pathlib import Path

import pytest
import torch

from hybrid_swin.system.files import SaveError
from hybrid_swin.training.resume import UnreadableStateError, load_state, save_state

STATE = {"weights": torch.arange(1000.0), "history": [{"epoch": 1, "val/loss": 0.5}]}


def test_comes_back_equal_and_leaves_nothing_else(tmp_path):
    save_state(STATE, tmp_path / "a.ckpt")
    loaded = load_state(tmp_path / "a.ckpt")
    assert torch.equal(loaded["weights"], STATE["weights"])
    assert loaded["history"] == STATE["history"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_state(tmp_path / "none.ckpt")


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_torn_file_is_refused(tmp_path, kept):
    path = tmp_path / "a.ckpt"
    save_state(STATE, path)
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(UnreadableStateError, match=r"a\.ckpt"):
        load_state(path)


def test_one_flipped_bit_in_the_weights_is_refused(tmp_path):
    path = tmp_path / "a.ckpt"
    save_state(STATE, path)
    content = bytearray(path.read_bytes())
    at = content.index(STATE["weights"].numpy().tobytes()) + 400
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableStateError, match="damaged"):
        load_state(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "a.ckpt"
    path.write_text("not a checkpoint")
    with pytest.raises(UnreadableStateError):
        load_state(path)
    torch.save({"weights": torch.zeros(2)}, path)  # whole, but not ours
    with pytest.raises(UnreadableStateError, match="not a training state"):
        load_state(path)
    torch.save({"schema_version": 1, "code": Path}, path)  # needs code to be run
    with pytest.raises(UnreadableStateError):
        load_state(path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device that is always full")
def test_a_full_disk_is_one_error_and_leaves_the_previous_file(tmp_path):
    path = tmp_path / "a.ckpt"
    save_state(STATE, path)
    before = path.read_bytes()
    temporary = tmp_path / f".a.ckpt.{os.getpid()}-{threading.get_ident()}.tmp"
    temporary.symlink_to("/dev/full")
    with pytest.raises(SaveError) as error:
        save_state({"weights": torch.zeros(100_000)}, path)
    assert error.value.errno == errno.ENOSPC
    assert "0.4 MB" in str(error.value) and "No space left" in str(error.value)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_folder_that_is_gone_is_the_same_error(tmp_path):
    with pytest.raises(SaveError):
        save_state(STATE, tmp_path / "gone" / "a.ckpt")
