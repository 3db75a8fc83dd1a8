"""What a worker says and keeps of a job that fails."""

import sys

import pytest

from search.execution import training_job as jobs
from search.execution import worker
from search.execution.bound_images import OtherImagesError
from search.execution.job import Job


class Heard:
    """A channel that remembers what is said."""

    def __init__(self):
        self.said = []

    def say(self, kind, job=None, **data):
        self.said.append((kind, data))


@pytest.mark.parametrize(
    "message", ["x" * 10_000_000, "tensor([\n" * 1_000_000, "\x1b[2J\ud800\n\u202e", "short"]
)
def test_what_is_kept_of_an_error_is_bounded(tmp_path, monkeypatch, capsys, message):
    def fail(job, say, processes):
        raise ValueError(message)

    monkeypatch.setattr(jobs, "do_job", fail)
    channel = Heard()
    worker.serve(channel, Job("trials/0000", 1, "train", str(tmp_path), {}))
    (_, _), (kind, data) = channel.said
    assert kind == "failed"
    assert data["error"].startswith("ValueError: ") and len(data["error"]) <= 1_000
    assert data["error"].isprintable()
    assert message != "short" or data["error"] == "ValueError: short"
    kept = (tmp_path / "traceback.txt").read_text()
    assert len(kept) < 70_000
    assert kept.startswith("Traceback") and "in fail" in kept
    assert ("characters were cut here" in kept) == (len(message) > 100)
    assert len(capsys.readouterr().err) < 70_000


class Mute(Exception):
    """Of a user's own, and broken."""

    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Mute(), "Mute: (its message cannot be read: RuntimeError)"),
        (SystemExit(3), "SystemExit: 3 (something called sys.exit)"),
        (GeneratorExit(), "GeneratorExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_whatever_a_plug_in_raises_is_said(tmp_path, monkeypatch, error, words):
    def fail(job, say, processes):
        try:
            raise error
        except KeyboardInterrupt:
            sys.exit(1)  # as Lightning does

    monkeypatch.setattr(jobs, "do_job", fail)
    channel = Heard()
    worker.serve(channel, Job("trials/0000", 1, "train", str(tmp_path), {}))
    assert channel.said[1] == ("failed", {"error": words})
    assert "in fail" in (tmp_path / "traceback.txt").read_text()


def test_other_images_are_no_fault_of_the_job(tmp_path, monkeypatch):
    def refuse(job, say, processes):
        raise OtherImagesError("has images other than the study's")

    monkeypatch.setattr(jobs, "do_job", refuse)
    channel = Heard()
    worker.serve(channel, Job("trials/0000", 1, "train", str(tmp_path), {}))
    about = {"error": "has images other than the study's", "unfit_machine": True}
    assert channel.said[1] == ("failed", about)
