"""Slurm's commands as scripts on the PATH: a queue is a file, which a test changes."""

import shlex

SBATCH = """\
echo sbatch "$@" >> calls
case "$*" in *--test-only*) [ ! -e untested ] || { cat untested >&2; exit 1; }; exit 0;; esac
[ ! -e down ] || { cat down >&2; exit 1; }
[ ! -e refusal ] || { cat refusal >&2; exit 1; }
for word; do
    case $word in
    --array=1-*) tasks=${word#--array=1-} ;;
    --comment=*) comment=${word#--comment=} ;;
    esac
done
number=$(($(cat number 2>/dev/null || echo 10) + 1))
echo $number > number
task=1
while [ $task -le $tasks ]; do
    echo "${number}_$task|PENDING|Priority|$comment" >> queue
    task=$((task + 1))
done
echo "$number;cluster"
"""
SQUEUE = """\
[ ! -e down ] || { cat down >&2; exit 1; }
cat queue 2>/dev/null
true
"""
SINFO = """\
echo sinfo "$@" >> calls
cat nodes
"""
SCANCEL = """\
[ ! -e down ] || { cat down >&2; exit 1; }
echo scancel "$@" >> calls
for word; do
    case $word in
    --state=PENDING) sed -i "/PENDING/d" queue ;;
    --name=*) case "$*" in *--state*) ;; *) : > queue ;; esac ;;
    [0-9]*) sed -i "/^$word|/d" queue ;;
    esac
done
"""


class FakeSlurm:
    """Commands in a folder; its files are what they do."""

    def __init__(self, folder):
        self.folder = folder
        scripts = {"sbatch": SBATCH, "squeue": SQUEUE, "scancel": SCANCEL, "sinfo": SINFO}
        (folder / "nodes").write_text("idle\n")
        for name, text in scripts.items():
            file = folder / name
            file.write_text(f"#!/bin/sh\ncd {shlex.quote(str(folder))}\n{text}")
            file.chmod(0o755)

    def calls(self, name):
        """The words of each call of a command."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split()[1:] for line in lines if line.startswith(f"{name} ")]

    def submissions(self):
        return [words for words in self.calls("sbatch") if "--test-only" not in words]

    def queue(self):
        """State by the job's number."""
        file = self.folder / "queue"
        lines = file.read_text().splitlines() if file.exists() else []
        return {line.split("|")[0]: line.split("|")[1] for line in lines}

    def put(self, number, state, reason="None", comment="mine"):
        """A job is in this state now."""
        file = self.folder / "queue"
        lines = file.read_text().splitlines() if file.exists() else []
        others = [line for line in lines if not line.startswith(f"{number}|")]
        new = self.folder / "new"
        new.write_text("\n".join([*others, f"{number}|{state}|{reason}|{comment}"]) + "\n")
        new.rename(file)

    def forget(self):
        (self.folder / "queue").write_text("")

    def break_down(self, text, name="down"):
        (self.folder / name).write_text(text)

    def answer(self, name="down"):
        (self.folder / name).unlink()
