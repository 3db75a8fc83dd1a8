import argparse
import os
import pickle
import random
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hybrid_swin.errors import InputError
from hybrid_swin.interop.weights.source.files import read_weights, weights_hash

WEIGHTS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(500)}


class RunsCode:
    """Pickles to something that makes a file when it is read."""

    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return os.system, (f"touch {self.proof}",)


def same(content):
    assert set(content) == set(WEIGHTS)
    assert all(torch.equal(content[name], WEIGHTS[name]) for name in WEIGHTS)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    for read in (read_weights, weights_hash):
        with pytest.raises(InputError, match=r"'[^']*pipe\.safetensors' is not a regular file"):
            read(tmp_path / "pipe.safetensors")


# What is read


@pytest.mark.parametrize("suffix", ["pth", "pt", "bin", "ckpt", "safetensors", "weights"])
@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_a_file_is_read_by_its_content_whatever_its_suffix(tmp_path, suffix, kind):
    path = tmp_path / f"swin.{suffix}"
    if kind == "safetensors":
        save_file(WEIGHTS, path, {"made": "here"})
    else:
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=kind == "zip")
    file = read_weights(path)
    same(file.content)
    assert file.name == f"checkpoint {str(path)!r}"
    assert file.metadata == ({"made": "here"} if kind == "safetensors" else {})


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_of_hugging_face_is_read(tmp_path, name):
    (tmp_path / "config.json").write_text("{}")
    if name.endswith("bin"):
        torch.save(WEIGHTS, tmp_path / name)
    else:
        save_file(WEIGHTS, tmp_path / name)
    same(read_weights(str(tmp_path)).content)


def test_the_settings_of_a_training_script_are_plain_data(tmp_path):
    torch.save({"state_dict": WEIGHTS, "args": argparse.Namespace(lr=0.1)}, tmp_path / "a.pth")
    same(read_weights(tmp_path / "a.pth").content["state_dict"])
    with pytest.raises(pickle.UnpicklingError):  # and only here: torch's own rule is as it was
        torch.load(tmp_path / "a.pth", weights_only=True)


def test_a_file_without_checksums_is_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(WEIGHTS, tmp_path / "a.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    same(read_weights(tmp_path / "a.pth").content)


# Code


@pytest.mark.parametrize("kind", ["zip", "old", "plain pickle"])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, kind):
    path, proof = tmp_path / "evil.pth", tmp_path / "proof"
    content = {"model": WEIGHTS, "extra": RunsCode(proof)}
    if kind == "plain pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(InputError) as error:
        read_weights(path)
    assert not proof.exists()
    needed = "objects other than weights" if kind == "plain pickle" else "code (posix.system)"
    assert f"evil.pth' is refused: to be read it would run {needed}; if you" in str(error.value)
    assert "'evil.safetensors' by safetensors.torch.save_file" in str(error.value)
    assert "\n" not in str(error.value)
    # The file is as dangerous as it claims to be.
    if kind == "plain pickle":
        pickle.loads(path.read_bytes())  # noqa: S301
    else:
        torch.load(path, weights_only=False)
    assert proof.exists()


def test_a_pickled_network_is_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "whole.pt")
    with pytest.raises(InputError, match=r"would run code \(torch.nn.modules.linear.Linear\)"):
        read_weights(tmp_path / "whole.pt")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_torchscript_program_is_refused(tmp_path):
    torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)).save(tmp_path / "program.pt")
    with pytest.raises(InputError, match="is a TorchScript program, which is code; save"):
        read_weights(tmp_path / "program.pt")


# Damage


@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_truncated_file_is_refused(tmp_path, kind, share):
    path = tmp_path / "torn.pth"
    if kind == "safetensors":
        save_file(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"torn.pth' (is truncated|is damaged)[^\n]*again$"):
        read_weights(path)


def test_a_flipped_bit_is_found(tmp_path):
    path = tmp_path / "a.pth"
    torch.save(WEIGHTS, path)
    content = bytearray(path.read_bytes())
    content[content.index(torch.ones(500).numpy().tobytes()) + 100] ^= 1
    path.write_bytes(content)
    assert not torch.equal(torch.load(path, weights_only=True)["b"], WEIGHTS["b"])  # torch is happy
    with pytest.raises(InputError, match="is damaged at 'a/data/1'; copy or download it again"):
        read_weights(path)


@pytest.mark.parametrize("kind", ["zip", "old", "safetensors"])
def test_damage_anywhere_ends_in_one_message(tmp_path, kind):
    path, rng = tmp_path / "a.pth", random.Random(0)
    if kind == "safetensors":
        save_file(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    refused = 0
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 20)):
            damaged[rng.randrange(rng.choice([64, len(whole)]))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            read_weights(path)
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 50


# What is not a file of weights


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>404</html>", "is a web page, not weights"),
        (b"\xef\xbb\xbf<HTML>", "is a web page, not weights"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS"),
        (b"stages:\n- {width: 96}\n", "holds no weights: it is neither safetensors nor"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "holds no weights"),
        (b"cposix\nsystem\n(S'true'\ntR.", "holds no weights"),
        (b"\x80", "is truncated, damaged or no checkpoint"),
        (b"\x80\x02.", "is (refused|truncated)"),
        (b"PK\x03\x04" + bytes(50), "is truncated or damaged"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff{", "holds no weights"),
        (b"\xff\xff\x00\x00\x00\x00\x00\x00{", "is truncated or damaged"),
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path, content, said):
    (tmp_path / "swin.pth").write_bytes(content)
    with pytest.raises(InputError, match=rf"^checkpoint '.*swin.pth' {said}"):
        read_weights(tmp_path / "swin.pth")


def test_a_zip_of_other_things_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "swin.zip", "w") as archive:
        archive.writestr("best.pth", b"x")
    with pytest.raises(InputError, match=r"without PyTorch's weights \(inside: best.pth\); .*unpa"):
        read_weights(tmp_path / "swin.zip")


@pytest.mark.parametrize("content", [[1, 2], torch.ones(3), None])
def test_a_checkpoint_of_something_else_is_named(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(InputError, match=f"holds a {type(content).__name__}, not weights by name"):
        read_weights(tmp_path / "a.pth")


# Paths


def test_a_wrong_path_names_the_near_one(tmp_path):
    torch.save(WEIGHTS, tmp_path / "swin_tiny.pth")
    with pytest.raises(InputError, match=r"'swin_tiny.pt' does|did you mean 'swin_tiny.pth'\?"):
        read_weights(tmp_path / "swin_tiny.pt")
    with pytest.raises(InputError, match=r"does not exist \(there: swin_tiny.pth\)$"):
        read_weights(tmp_path / "convnext.pth")
    with pytest.raises(InputError, match=r"does not exist: there is no folder '.*nowhere'"):
        read_weights(tmp_path / "nowhere" / "swin.pth")


def test_a_folder_without_weights_names_what_is_there(tmp_path):
    with pytest.raises(InputError, match=r"holds neither model.safetensors nor pytorch_model.bin"):
        read_weights(tmp_path)
    for i in range(7):
        torch.save({}, tmp_path / f"epoch-{i}.pth")
    with pytest.raises(InputError, match=r"\(there: epoch-0.pth, .*epoch-4.pth and 2 more\)"):
        read_weights(tmp_path)


@pytest.mark.parametrize("path", ["a\0b", "~nobody-of-this-name/x.pth", "x" * 5000])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(InputError, match=r"is not a path|does not exist|cannot be read"):
        read_weights(path)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    torch.save(WEIGHTS, tmp_path / "a.pth")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(InputError, match=r"a.pth' cannot be read: Permission denied"):
        read_weights(tmp_path / "a.pth")
