"""The command `work`: this machine's workers for a study that runs elsewhere."""

import os
import sys
from pathlib import Path

from hybrid_swin.errors.plain_text import harmless
from search.cli.options import WorkOptions


def run(options: WorkOptions) -> int:
    """Serve until the study is over, or Ctrl-C or SIGTERM. Returns the exit code."""
    from search.execution.agents.agent import Agent
    from search.execution.slurm.job_script import place

    def say(text: str) -> None:
        print(harmless(text), file=sys.stderr, flush=True)

    folder, patience = Path(options.study), options.patience * 60
    agent = Agent(folder, options.count, patience, say, place(os.environ))
    try:
        agent.run()
    except KeyboardInterrupt:
        say("left; the study goes on without this machine")
    return 0
