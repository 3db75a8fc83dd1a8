"""Files of weights: found, told apart by their content, read without running code."""

import argparse
import hashlib
import json
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from hybrid_swin.errors import InputError, did_you_mean, few
from hybrid_swin.errors.plain_text import message_of
from hybrid_swin.spec.run_reference import refuse_study
from hybrid_swin.system.file_names import FINAL
from hybrid_swin.system.files import given_path

IN_FOLDERS = "model.safetensors", "pytorch_model.bin"  # as Hugging Face names them
INDEXES = tuple(f"{name}.index.json" for name in IN_FOLDERS)  # of weights in several files
_ADAPTERS = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
_CONFIG, _MOST_CONFIG = "config.json", 2**24  # bytes: some list ten thousands of classes
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})(\.\w+)")
_SUFFIXES = ".safetensors", ".pth", ".pt", ".bin", ".ckpt"


@dataclass(frozen=True)
class WeightFile:
    """What a file holds, and what lies beside it.

    Args:
        name: for messages, such as ``checkpoint 'swin.pth'``.
        content: nested as it was saved.
        metadata: the texts that safetensors keeps beside weights, or ours beside a state dict.
        config: the ``config.json`` in the file's folder; None if there is none.
        config_problem: why one that is there cannot be read.
    """

    name: str
    content: Mapping[Any, Any]
    metadata: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None
    config_problem: str = ""


def read_weights(path: str | Path) -> WeightFile:
    """Read a checkpoint by its content, whatever its suffix, on the CPU, and the config beside it.

    Weights in several files are read by their index, or by their folder.

    Raises:
        InputError: no such file, a damaged one, one that holds no weights, or one that would run
            code (pickles are read by ``torch.load(weights_only=True)`` only).
    """
    file = find_checkpoint(path)
    name = f"checkpoint {str(file)!r}"
    read = _read_shards(file, name) if file.name.endswith(".index.json") else _read_one(file, name)
    config, problem = _config_beside(file)
    return replace(read, config=config, config_problem=problem)


def _read_one(file: Path, name: str) -> WeightFile:
    try:
        with open(file, "rb") as stream:
            start = stream.read(1024)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from error
    # eight bytes with the header's length, then the header, which is JSON
    if start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] < 2**32:
        return _read_safetensors(file, name)
    if start.startswith(b"PK\x03\x04"):
        _check_zip(file, name)
        return _read_pickled(file, name)
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        return _read_pickled(file, name)
    raise InputError(f"{name} {_what_else(start)}")


def files_of(path: str | Path) -> list[Path]:
    """The files of a checkpoint: one, or an index and what it names. Raises as read_weights."""
    file = find_checkpoint(path)
    files = [file]
    if file.name.endswith(".index.json"):
        files += sorted(set(_shards(file, f"checkpoint {str(file)!r}").values()))
    return files


def weights_hash(path: str | Path) -> str:
    """Ten hex digits over a checkpoint's bytes. Raises InputError where there is no such file."""
    digest = hashlib.sha256()
    for part in files_of(path):
        try:
            with part.open("rb") as stream:
                while piece := stream.read(2**20):
                    digest.update(piece)
        except OSError as error:
            what = f"checkpoint {str(part)!r} cannot be read: {error.strerror}"
            raise InputError(what) from error
    return digest.hexdigest()[:10]


def init_hash(path: str | Path, prefix: str | None = None) -> str:
    """What first weights are: a checkpoint's hash, and which of its networks was asked for."""
    return weights_hash(path) + ("" if prefix is None else f" {prefix}")


def _read_shards(index: Path, name: str) -> WeightFile:
    """Weights that lie in several files, as Hugging Face's index of them says."""
    content: dict[str, Any] = {}
    places = _shards(index, name)
    for file in sorted(set(places.values())):
        read = _read_one(file, f"checkpoint {str(file)!r}").content
        wanted = [key for key, place in places.items() if place == file]
        missing = [key for key in wanted if key not in read]
        if missing:
            raise InputError(f"{name}: {file.name!r} does not hold {missing[0]!r}; copy them again")
        content |= {key: read[key] for key in wanted}
    return WeightFile(name, content)


def _shards(index: Path, name: str) -> dict[str, Path]:
    """The file of each weight. Raises InputError for an index that says something else."""
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        places = {str(key): str(place) for key, place in weight_map.items()}
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{name} is not an index of weights ({_first_line(error)})") from error
    for place in places.values():
        if Path(place).name != place or not (index.parent / place).is_file():
            raise InputError(f"{name} names {place[:100]!r}, which is not in its folder")
    return {key: index.parent / place for key, place in places.items()}


def _config_beside(file: Path) -> tuple[Mapping[str, Any] | None, str]:
    """The ``config.json`` in a file's folder, and why it cannot be read."""
    path = file.parent / _CONFIG
    try:
        if not path.is_file():
            return None, ""
        if path.stat().st_size > _MOST_CONFIG:
            return None, "it is too large"
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return None, _first_line(error)
    return (config, "") if isinstance(config, dict) else (None, "it is not a mapping")


def checkpoint_in(folder: Path) -> Path | None:
    """A folder's checkpoint: of a finished training, its last attempt first, or Hugging Face's."""
    attempts = folder.glob(f"attempt-*/{FINAL}")
    newest = sorted(attempts, key=lambda file: (len(str(file)), str(file)), reverse=True)
    published = (folder / name for name in (*IN_FOLDERS, *INDEXES))
    files = (folder / FINAL, *newest, *published)
    return next((file for file in files if file.is_file()), None)


def find_checkpoint(path: str | Path) -> Path:
    """The file that a path means: itself, or that of a folder (see ``checkpoint_in``).

    Raises:
        InputError: it does not exist, is one of several parts, or a folder without a checkpoint;
            with what is there instead.
    """
    file = given_path(path)
    if file is None:
        raise InputError(f"{str(path)!r} is not a path; give that of a checkpoint")
    if file.is_dir():
        inside = checkpoint_in(file)
        if inside is not None:
            return inside
        refuse_study(file)
        if any((file / name).is_file() for name in _ADAPTERS):
            raise InputError(
                f"folder {str(file)!r} holds an adapter alone, not a network; merge it where it "
                "was trained (peft: model.merge_and_unload()), and save the whole network"
            )
        raise InputError(
            f"{str(file)!r} holds no finished training (no {FINAL}); it holds neither "
            f"{' nor '.join(IN_FOLDERS)}; give the folder of one, or a file{_others(file, '')}"
        )
    if file.exists():
        if not file.is_file():  # opening a pipe would wait for ever
            raise InputError(f"checkpoint {str(file)!r} is not a regular file; give one that is")
        shard = _SHARD.fullmatch(file.name)
        if shard and int(shard[3]) > 1:
            raise InputError(
                f"checkpoint {str(file)!r} is one of {int(shard[3])} parts; give the path of the "
                f"folder or of {shard[1] + shard[4] + '.index.json'!r} in it"
            )
        return file
    if not file.parent.is_dir():
        raise InputError(
            f"checkpoint {str(file)!r} does not exist: there is no folder {str(file.parent)!r}"
        )
    raise InputError(f"checkpoint {str(file)!r} does not exist{_others(file.parent, file.name)}")


def _others(folder: Path, name: str) -> str:
    """The files of weights in a folder, or the one that may have been meant."""
    try:
        names = sorted(f.name for f in folder.iterdir() if f.suffix in _SUFFIXES or f.is_dir())
    except OSError:
        return ""
    files = [f for f in names if Path(f).suffix in _SUFFIXES]
    return did_you_mean(name, names) or f" (there: {few(files, 5) or 'no checkpoint'})"


def _read_safetensors(file: Path, name: str) -> WeightFile:
    try:
        with safe_open(file, "pt") as opened:
            content = {key: opened.get_tensor(key) for key in opened.keys()}
            return WeightFile(name, content, opened.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise _damaged(name, error) from error


def _check_zip(file: Path, name: str) -> None:
    """Compare checksums, which torch does not: one flipped bit would be another network."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.namelist()
            broken = [member for member in members if not _is_whole(archive, member)]
    except Exception as error:  # a torn file may fail anywhere in zipfile's reading
        raise _damaged(name, error) from error
    if not any(Path(member).name in ("data.pkl", "constants.pkl") for member in members):
        inside = ", ".join(members[:3]) or "nothing"
        raise InputError(
            f"{name} is a zip archive without PyTorch's weights (inside: {inside}); if a "
            "checkpoint is among them, unpack it and give its path"
        )
    # torch can be told to write none (torch.serialization.set_crc32_options): then all differ.
    if broken and len(broken) < len(members):
        raise InputError(f"{name} is damaged at {broken[0]!r}; copy or download it again")


def _is_whole(archive: zipfile.ZipFile, member: str) -> bool:
    try:
        with archive.open(member) as stream:
            while stream.read(2**20):
                pass
    except zipfile.BadZipFile:
        return False
    return True


def _read_pickled(file: Path, name: str) -> WeightFile:
    """A pickle's content, and the texts where torch keeps versions of a state dict's modules."""
    try:
        # A Namespace is plain data, and training scripts, timm's among them, keep theirs inside.
        known = torch.serialization.safe_globals([argparse.Namespace])
        with open(file, "rb") as stream, warnings.catch_warnings(), known:
            warnings.simplefilter("ignore")
            content = torch.load(stream, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        needed = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"code ({needed[1]})" if needed else "objects other than weights"
        raise InputError(
            f"{name} is refused: to be read it would run {what}; if you trust who made it, convert "
            "it where it can do no harm: load it by torch.load(path, weights_only=False), take "
            f"the state dict out and write {file.stem + '.safetensors'!r} by "
            "safetensors.torch.save_file(state_dict, path)"
        ) from error
    except Exception as error:  # a torn file may fail anywhere in torch's reading
        if "TorchScript" in message_of(error):
            raise InputError(
                f"{name} is a TorchScript program, which is code; save the state dict of the model "
                "that it was made from"
            ) from error
        raise _damaged(name, error, "truncated, damaged or no checkpoint") from error
    if not isinstance(content, Mapping):
        raise InputError(f"{name} holds a {type(content).__name__}, not weights by name")
    versions = getattr(content, "_metadata", None)
    entry = versions.get("") if isinstance(versions, Mapping) else None
    beside = entry if isinstance(entry, Mapping) else {}
    return WeightFile(name, content, {k: v for k, v in beside.items() if isinstance(v, str)})


def _what_else(start: bytes) -> str:
    """What a file is that is not a checkpoint, and what to do."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "is empty; copy or download it again"
    if text.startswith(b"<"):
        return (
            "is a web page, not weights: the download gave a page about the file; download "
            "the file itself"
        )
    if text.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the weights; fetch them by git lfs pull"
    return (
        "holds no weights: it is neither safetensors nor a checkpoint of PyTorch, or it is "
        "damaged from its first bytes on"
    )


def _damaged(name: str, error: Exception, how: str = "truncated or damaged") -> InputError:
    return InputError(f"{name} is {how} ({_first_line(error)}); copy or download it again")


def _first_line(error: Exception) -> str:
    lines = message_of(error).strip().splitlines()
    return (lines[0][:120].rstrip(". ") if lines else "") or type(error).__name__
