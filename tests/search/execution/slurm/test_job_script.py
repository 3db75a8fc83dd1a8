"""What jobs run, and how they are known again."""

import shlex
import subprocess

import pytest

from search.execution.slurm.job_script import (
    agent_command,
    fingerprint,
    fixed_options,
    job_name,
    place,
    script_text,
    write_script,
)


def test_a_study_has_a_name_in_the_queue_of_its_own(tmp_path):
    one, other = tmp_path / "a/my study", tmp_path / "b/my study"
    assert job_name(one) == job_name(one)
    assert job_name(one) != job_name(other)
    assert job_name(one).startswith("my_study-")


def test_words_reach_the_agent_whatever_the_folder_is_called(tmp_path):
    folder = tmp_path / "it's 100% $HOME"
    text = script_text(["printf", "%s|", *agent_command(folder, 3)[-4:]], ["A=1"])
    script = write_script(folder, text)
    printed = subprocess.run(["bash", script], capture_output=True, text=True, check=True).stdout
    assert printed == "--patience|2|--count|3|"
    assert shlex.join(agent_command(folder, None)).endswith("--patience 2")
    assert str(folder) in agent_command(folder, None)
    output = next(word for word in fixed_options(folder, "x") if word.startswith("--output="))
    assert output.endswith("100%% $HOME/logs/slurm/%A_%a.log")


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        (["source venv/bin/activate"], "'source venv/bin/activate' failed with exit code 1;"),
        (["true", "module load cuda"], "'module load cuda' failed with exit code 127;"),
        (["m() { return 3; }", "m load"], "'m load' failed with exit code 3; if it may fail, end"),
        (["X=$(false)"], "'X=$(false)' failed with exit code 1"),
        (["source ./hook"], ""),  # in which a line fails
        (["m() { false; true; }", "m"], ""),
        (["[ -d nowhere ] && false", "if [ -d nowhere ]", "then false; fi"], ""),
        (["false || true", "export X=here"], ""),
    ],
)
def test_a_line_of_setup_that_fails_ends_the_job_and_is_its_last_word(tmp_path, setup, said):
    (tmp_path / "hook").write_text("false\ntrue\n")
    script = write_script(tmp_path, script_text(["echo", "agent"], setup))
    done = subprocess.run(["bash", script], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == ((1, "") if said else (0, "agent\n"))
    last = done.stderr.splitlines()[-1:] if said else [""]
    assert last[0].startswith(f"executor.setup: {said}" if said else "")
    assert len(last[0]) <= 150


def test_other_options_are_another_fingerprint():
    assert fingerprint(["--mem=1G"], "x") != fingerprint(["--mem=2G"], "x")
    assert fingerprint(["--mem=1G"], "x") != fingerprint(["--mem=1G"], "y")
    assert fingerprint(["--mem=1G"], "x") == fingerprint(["--mem=1G"], "x")


def test_where_an_agent_runs():
    assert place({}) == {}
    job = {"SLURM_JOB_ID": "9", "SLURMD_NODENAME": "n1"}
    assert place(job) == {"slurm_job": "9", "slurm_node": "n1"}
    task = {**job, "SLURM_ARRAY_JOB_ID": "8", "SLURM_ARRAY_TASK_ID": "2"}
    assert place(task) == {"slurm_job": "8_2", "slurm_node": "n1"}
