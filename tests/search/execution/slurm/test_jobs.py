"""Jobs are submitted, watched, replaced and cancelled; Slurm is faked."""

from pathlib import Path

import pytest

from hybrid_swin.errors import InputError
from search.execution.slurm.jobs import Jobs, check_submission, last_line

DOWN = "squeue: error: Unable to contact slurm controller (connect failure)\n"
LIMIT = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy\n"


@pytest.fixture
def make(fake_slurm, monkeypatch):
    """Jobs whose queue is looked at all the time."""
    monkeypatch.setattr("search.execution.slurm.jobs._TO_LEAVE", 0.1)
    made = []

    def make(most=2):
        made.append(Jobs("tiny-1", lambda: ["--comment=mine", "agent.sh"], "mine", most, 0.01))
        return made[-1]

    yield make
    for jobs in made:
        jobs.close()


class Told:
    """All news so far."""

    def __init__(self, jobs):
        self.jobs, self.ended, self.words = jobs, [], []

    def hear(self):
        news = self.jobs.news()
        self.ended += [(job.id, job.state) for job in news.ends]
        self.words += news.words
        return self


def test_nothing_is_submitted_before_there_is_work(make, fake_slurm):
    check_submission(["--comment=mine"], "#!/bin/bash\n")
    jobs = make()
    jobs.want(0)
    assert fake_slurm.submissions() == []
    assert jobs.waiting == ""
    assert jobs.close() == ""
    assert fake_slurm.calls("scancel") == []


def test_no_more_jobs_than_allowed_and_why_they_wait(make, fake_slurm, wait_until):
    jobs = make(most=3)
    jobs.want(10)
    wait_until(lambda: jobs.waiting)
    assert jobs.waiting == "3 jobs wait in Slurm's queue: others come first"
    assert [words[0] for words in fake_slurm.submissions()] == ["--array=1-3"]
    assert Told(jobs).hear().words == ["submitted 3 jobs to Slurm: 11"]
    fake_slurm.put("11_2", "RUNNING")
    wait_until(lambda: not jobs.waiting)


def test_further_jobs_come_with_more_work(make, fake_slurm, wait_until):
    jobs = make(most=3)
    jobs.want(1)
    wait_until(lambda: len(fake_slurm.queue()) == 1)
    jobs.want(2)
    wait_until(lambda: len(fake_slurm.queue()) == 2)
    assert [words[0] for words in fake_slurm.submissions()] == ["--array=1-1", "--array=1-1"]


@pytest.mark.parametrize("state", ["PREEMPTED", "CANCELLED", "TIMEOUT", "FAILED", "NODE_FAIL"])
def test_a_job_that_has_ended_is_replaced_while_there_is_work(make, fake_slurm, wait_until, state):
    jobs = make(most=2)
    told = Told(jobs)
    jobs.want(2)
    wait_until(lambda: jobs.waiting)
    fake_slurm.put("11_1", "RUNNING")
    fake_slurm.put("11_1", "COMPLETING")
    wait_until(lambda: "12_1" in fake_slurm.queue())  # it leaves its node
    fake_slurm.put("11_1", state)
    wait_until(lambda: told.hear().ended)
    assert told.ended == [("11_1", state)]
    assert len(fake_slurm.submissions()) == 2
    jobs.want(0)
    fake_slurm.put("11_2", state)
    wait_until(lambda: len(told.hear().ended) == 2)
    assert len(fake_slurm.submissions()) == 2


def test_a_controller_that_is_down_is_waited_for(make, fake_slurm, wait_until):
    fake_slurm.break_down(DOWN)
    check_submission([], "")
    jobs = make()
    told = Told(jobs)
    jobs.want(1)
    wait_until(lambda: jobs.waiting)
    words = "Slurm does not answer: Unable to contact slurm controller (connect failure)"
    assert jobs.waiting == words
    fake_slurm.answer()
    wait_until(lambda: fake_slurm.queue())
    wait_until(lambda: len(told.hear().words) == 3)
    assert told.words == [
        f"{words}; asking again until it answers",
        "Slurm answers again",
        "submitted a job to Slurm: 11",
    ]


def test_a_refusal_ends_the_study_only_without_jobs(make, fake_slurm, wait_until):
    jobs = make(most=2)
    told = Told(jobs)
    jobs.want(1)
    wait_until(lambda: jobs.waiting)
    fake_slurm.break_down(LIMIT, "refusal")
    jobs.want(2)
    wait_until(lambda: len(told.hear().words) == 2)
    assert told.words[1] == (
        "sbatch: Job violates accounting/QOS policy; ask for less by executor.max_jobs, cpus, gres "
        "or time, or take another executor.qos; the study goes on with the jobs that there are"
    )
    fake_slurm.put("11_1", "CANCELLED")
    with pytest.raises(InputError, match="sbatch: Job violates"):
        wait_until(lambda: told.hear() is None)


def test_a_refusal_is_known_before_work(fake_slurm):
    fake_slurm.break_down("allocation failure: Invalid partition name specified\n", "untested")
    with pytest.raises(InputError, match="sbatch: Invalid partition name specified"):
        check_submission(["--partition=nope"], "#!/bin/bash\n")
    (words,) = fake_slurm.calls("sbatch")
    assert words[:3] == ["--test-only", "--array=1", "--partition=nope"]
    assert not Path(words[3]).exists()


NO_NODE = "Requested node configuration is not available"


@pytest.mark.parametrize("states", ["down\ndrain\n", "idle*\n", "unk*\ndown*\n"])
def test_nodes_that_are_all_down_now_are_waited_for(fake_slurm, states):
    """As sbatch does, whose test of the same job fails."""
    fake_slurm.break_down(f"allocation failure: {NO_NODE}\n", "untested")
    (fake_slurm.folder / "nodes").write_text(states)
    check_submission(["--partition=main", "--cpus-per-task=1"], "")
    (words,) = fake_slurm.calls("sinfo")
    assert words[-1] == "--partition=main"


def test_what_no_node_has_is_refused_while_any_is_up(fake_slurm):
    fake_slurm.break_down(f"allocation failure: {NO_NODE}\n", "untested")
    (fake_slurm.folder / "nodes").write_text("down\nmix\n")
    with pytest.raises(InputError, match=NO_NODE):
        check_submission(["--cpus-per-task=100"], "")


def test_a_script_that_cannot_be_written_is_a_refusal(fake_slurm, wait_until):
    def full():
        raise OSError(28, "No space left on device")

    jobs = Jobs("tiny-1", full, "mine", 1, 0.01)
    jobs.want(1)
    with pytest.raises(InputError, match=r"executor slurm: .*No space left on device"):
        wait_until(lambda: jobs.news() is None)
    jobs.close()


def test_jobs_of_an_earlier_start_are_taken_over_if_they_are_the_same(make, fake_slurm, wait_until):
    fake_slurm.put("7_1", "PENDING", "Priority", "mine")
    fake_slurm.put("7_2", "RUNNING", "None", "of other options")
    fake_slurm.put("7_3", "FAILED", "None", "mine")
    jobs = make(most=2)
    told = Told(jobs)
    jobs.want(2)
    wait_until(lambda: fake_slurm.submissions())
    assert fake_slurm.calls("scancel") == [["7_2"]]
    assert fake_slurm.submissions()[0][0] == "--array=1-1"
    assert told.hear().ended == []


def test_a_submission_of_which_nothing_was_heard_is_cancelled(make, fake_slurm, wait_until):
    jobs = make(most=1)
    jobs.want(1)
    wait_until(lambda: jobs.waiting)
    fake_slurm.put("12_1", "PENDING")
    wait_until(lambda: fake_slurm.calls("scancel"))
    assert fake_slurm.calls("scancel") == [["12_1"]]


def test_a_job_that_slurm_has_forgotten_is_replaced(make, fake_slurm, wait_until):
    jobs = make(most=1)
    told = Told(jobs)
    jobs.want(1)
    wait_until(lambda: jobs.waiting)
    fake_slurm.forget()
    wait_until(lambda: told.hear().ended)
    assert told.ended == [("11_1", "VANISHED")]
    wait_until(lambda: "12_1" in fake_slurm.queue())


def test_the_end_cancels_what_waits_and_then_what_does_not_leave(make, fake_slurm, wait_until):
    jobs = make(most=2)
    jobs.want(2)
    wait_until(lambda: jobs.waiting)
    fake_slurm.put("11_1", "RUNNING")
    assert jobs.close() == ""
    waiting, rest = (words[1:] for words in fake_slurm.calls("scancel"))
    assert waiting == ["--name=tiny-1", "--state=PENDING"]
    assert rest == ["--name=tiny-1"]
    assert fake_slurm.queue() == {}


def test_the_end_says_what_it_could_not_cancel(make, fake_slurm, wait_until):
    jobs = make()
    jobs.want(1)
    wait_until(lambda: jobs.waiting)
    fake_slurm.break_down(DOWN)
    trouble = jobs.close()
    assert "could not be cancelled (Unable to contact slurm controller" in trouble
    assert "`scancel --name tiny-1`" in trouble
    fake_slurm.answer()


def test_the_last_line_of_a_log(tmp_path):
    (tmp_path / "log").write_bytes(b"first\nlast \xff\n\n")
    assert last_line(tmp_path / "log") == "last \ufffd"
    assert last_line(tmp_path / "none") == ""
    (tmp_path / "log").write_bytes(b"\n" * 10**5 + b"\x1b[31m" + b"many words " * 100 + b"\r\n")
    said = last_line(tmp_path / "log")
    assert len(said) <= 150 and said.isprintable()
