"""The door starts the workers' server for commands that train, and for no others."""

import pytest

from search.cli import door
from search.execution import forked_workers


@pytest.mark.parametrize(
    ("words", "trains"),
    [
        ("", True),
        ("--trials 3", True),
        ("run --config study.yaml", True),
        ("compare --dry-run", True),  # which trains one network to time it
        ("--help", False),
        ("run -h", False),
        ("leaderboard runs/digits", False),
        ("status", False),
    ],
)
def test_what_trains_has_its_server_before_anything_is_read(monkeypatch, words, trains):
    began = []
    monkeypatch.setattr("sys.argv", ["search.py", *words.split()])
    monkeypatch.setattr(door, "arrange_imports", lambda: None)
    monkeypatch.setattr(forked_workers, "server", lambda: began.append("server"))
    monkeypatch.setattr("search.cli.main.main", lambda: began.append("command"))
    door.main()
    assert began == ["server", "command"][0 if trains else 1 :]
