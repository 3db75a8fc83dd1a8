"""Which file system holds a folder, and whether a lock that is taken there is seen by all hosts.

Source: proc_pid_mountinfo(5), nfs(5), mount.lustre(8), mount.cifs(8), fuse(4).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MOUNTS = Path("/proc/self/mountinfo")

Reach = Literal["one host", "all hosts", "unknown"]

# Held by disks or the memory of one machine: no other host sees the folder.
_OF_ONE_HOST = frozenset(
    "apfs bcachefs btrfs exfat ext2 ext3 ext4 f2fs hfs jfs ntfs ntfs3 overlay ramfs reiserfs tmpfs "
    "vfat xfs zfs".split()
)
# Shared by hosts, with locks that all of them see unless an option says otherwise.
_LOCKS_FOR_ALL = frozenset("afs ceph cifs gfs2 gpfs lustre nfs nfs4 ocfs2 smb3".split())
_LOCKS_OF_THIS_HOST = frozenset(
    ("nolock", "local_lock=all", "local_lock=flock", "localflock", "localflocks", "nobrl")
)


@dataclass(frozen=True)
class Mount:
    """A file system as it is mounted here."""

    place: str
    kind: str  # ``nfs4``, ``ext4``, ...; empty if unknown
    options: frozenset[str] = frozenset()

    @property
    def is_shared(self) -> bool:
        """Whether other hosts may see it."""
        return bool(self.kind) and self.kind not in _OF_ONE_HOST

    @property
    def lock_reach(self) -> Reach:
        """Who sees a lock that is taken here; unknown for kinds that depend on their servers."""
        if not self.is_shared or self.options & _LOCKS_OF_THIS_HOST:
            return "one host"
        return "all hosts" if self.kind in _LOCKS_FOR_ALL else "unknown"

    def __str__(self) -> str:
        return f"{self.kind} at {self.place}"


def mount_of(folder: Path, table: Path | None = None) -> Mount:
    """The mount that holds a folder, or what of its path exists; of no kind if unknown.

    ``table`` is in the form of /proc/self/mountinfo.
    """
    path = os.path.realpath(folder)
    mount = Mount("/", "")
    try:
        lines = (table or MOUNTS).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # a system without /proc
        return mount
    for line in lines:
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if not separator or len(fields) < 6 or len(rest) < 1:
            continue
        place = _unescaped(fields[4])
        inside = path == place or path.startswith(place.rstrip("/") + "/")
        if inside and len(place) >= len(mount.place):  # the last one hides those before
            options = {*fields[5].split(","), *(rest[2].split(",") if len(rest) > 2 else ())}
            mount = Mount(place, rest[0], frozenset(options))
    return mount


def _unescaped(text: str) -> str:
    r"""A path of the table, where a space stands as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
