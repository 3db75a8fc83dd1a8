"""What a rehearsal says of a comparison; no pilot is trained here."""

import io
from contextlib import nullcontext
from types import SimpleNamespace

from hybrid_swin.system.console import Console
from search.launch import dry_run_comparison as dry_run
from search.records.runs import RunResult
from search.settings.comparison import ArmSettings


def test_a_plugin_that_no_arm_uses_is_said(monkeypatch, tmp_path, write_plugin, fake):
    def train(settings, executor, job_settings, specs):
        seconds = {"fit": 3.0, "total": 4.0}
        return [RunResult(s.key, 1, "complete", 0.9, epochs=3, seconds=seconds) for s in specs]

    workers = nullcontext(SimpleNamespace(slots=2))
    monkeypatch.setattr(dry_run, "start_workers", lambda **_: workers)
    monkeypatch.setattr(dry_run, "run_pilots", train)

    def said(**given):
        asked = fake.settings(folder=str(tmp_path), plugins=[str(write_plugin("pool"))], **given)
        text = io.StringIO()
        dry_run.rehearse(asked, Console(file=text, width=1000))
        return text.getvalue()

    assert "plug-in pool.py: no block uses its word `pool`; add it to the arms" in said()
    assert "plug-in pool.py" not in said(arms=(ArmSettings(), ArmSettings(add="pool")))
