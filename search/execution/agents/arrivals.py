"""Who announces itself in a study's folder, and is there."""

import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import MissingFileError, explained
from hybrid_swin.system.schema import build
from hybrid_swin.training.hardware import Hardware
from search.execution.agents.mailbox import (
    AGENT_BEAT,
    AGENT_FILE,
    AGENTS,
    TO_AGENT,
    TO_COORDINATOR,
    AgentRecord,
    Inbox,
    Outbox,
    Pulse,
)
from search.execution.job import Job
from search.execution.other_process import OtherProcess
from search.records.runs import read_record


@dataclass
class RemoteAgent:
    """An agent, as its coordinator knows it."""

    name: str
    home: Path
    place: dict[str, str]
    token: str
    outbox: Outbox
    inbox: Inbox
    pulse: Pulse
    process: OtherProcess | None  # None if it is of another machine
    announced: int  # when its file was written
    slots: int = 0  # none before it is ready
    hardware: Hardware | None = None  # None before it is ready
    jobs: dict[str, Job] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """How many further jobs would begin at once."""
        return max(0, self.slots - len(self.jobs))

    @property
    def was_deleted(self) -> bool:
        """Whether its file is gone, or another stands there."""
        with suppress(OSError):
            return (self.home / AGENT_FILE).stat().st_mtime_ns != self.announced
        return True

    @property
    def is_deaf(self) -> bool:
        """Whether it announces itself again before it has answered.

        It has not heard us, as when its folder was deleted before it looked.
        """
        if self.slots or self.jobs:
            return False
        return (self.home / AGENT_FILE).stat().st_mtime_ns != self.announced


class Arrivals:
    """Looks for agents.

    Args:
        folder: the study's.
        say: is told what is there and is not an agent.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._strange: set[str] = set()  # folders without an agent
        self._silent: dict[str, Pulse] = {}  # agents that were not heard of, and may come back

    def give_up(self, agent: RemoteAgent) -> None:
        """Do not take it for one that arrives until it beats again."""
        self._silent[agent.name] = agent.pulse

    def look(self, known: Mapping[str, RemoteAgent]) -> list[RemoteAgent]:
        """Those that are new; a known one that is deaf is, too."""
        agents: list[RemoteAgent] = []
        for file in sorted((self._folder / AGENTS).glob(f"*/{AGENT_FILE}")):
            name = file.parent.name
            silent = self._silent.get(name)
            if silent is not None and silent.listen() and not silent.silence:
                del self._silent[name]
            try:
                is_new = name not in known or known[name].is_deaf
                if is_new and name not in self._silent and (agent := self._meet(file)):
                    agents.append(agent)
            except FileNotFoundError:
                pass  # it goes at this moment
            except OSError as error:
                if name not in self._strange:
                    self._strange.add(name)
                    self._say(
                        f"{name} cannot join: {explained(error, file.parent)}; give `work` as the "
                        "user who runs the study"
                    )
        return agents

    def _meet(self, file: Path) -> RemoteAgent | None:
        home = file.parent
        try:
            record = read_record(file, lambda content: build(AgentRecord, content))
        except MissingFileError:
            return None  # it leaves at this moment
        except InputError as error:
            if home.name not in self._strange:
                self._strange.add(home.name)
                self._say(f"{error}; it is not taken for an agent")
            return None
        owner = record.owner
        is_seen = owner.is_of_this_host and sys.platform == "linux"
        process = OtherProcess(owner.process) if is_seen else None
        pulse = Pulse(home / AGENT_BEAT)
        if (process and process.has_ended(0)) or not pulse.listen():
            shutil.rmtree(home, ignore_errors=True)  # what one that was killed has left
            return None
        return RemoteAgent(
            home.name,
            home,
            record.place,
            secrets.token_hex(8),
            Outbox(home / TO_AGENT),
            Inbox(home / TO_COORDINATOR, from_end=True),
            pulse,
            process,
            file.stat().st_mtime_ns,
        )
