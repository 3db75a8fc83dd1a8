import errno
import os

import pytest

from hybrid_swin.system.files import explained
from search.cli import main as cli
from search.launch.session import closing


def failing(text):
    def step():
        raise OSError(errno.EIO, text)

    return step


def test_the_first_failure_is_told_and_every_step_taken():
    taken = []
    steps = (failing("closing"), lambda: taken.append("last"))
    with pytest.raises(ValueError, match="the body"), closing(*steps):
        raise ValueError("the body")
    assert taken == ["last"]
    with pytest.raises(OSError, match="one"), closing(failing("one"), failing("two"), *steps[1:]):
        pass
    assert taken == ["last", "last"]


CODES = "EPERM EACCES EIO ENOSPC EROFS EDQUOT ENAMETOOLONG ESTALE EMFILE ENFILE".split()


@pytest.mark.parametrize("name", CODES)
def test_every_refusal_of_the_system_is_one_sentence(monkeypatch, capsys, name):
    code = getattr(errno, name)

    def refused(arguments):
        raise OSError(code, os.strerror(code), "/some/place/file.json")

    monkeypatch.setattr(cli, "_dispatch", refused)
    assert cli.main(["status"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"error: /some/place/file.json: {os.strerror(code)}; ")
    assert "start the same command again" in said
    assert "see to it" not in explained(OSError(code, "x", "y"))
