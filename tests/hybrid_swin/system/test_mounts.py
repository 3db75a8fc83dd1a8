"""Mount tables as systems write them; no network file system is mounted here."""

import pytest

from hybrid_swin.system.mounts import mount_of

TABLE = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:41 / /home rw,relatime shared:1 master:2 - nfs4 server:/home rw,vers=4.2,local_lock=none
41 27 0:42 / /old rw - nfs server:/old rw,vers=3,nolock,local_lock=all
42 27 0:43 / /half rw - nfs server:/half rw,vers=3,local_lock=flock
43 27 0:44 / /posix rw - nfs server:/posix rw,vers=3,local_lock=posix
44 27 0:45 / /scratch rw - lustre mgs@tcp:/fs rw,flock
45 27 0:46 / /local rw - lustre mgs@tcp:/fs rw,localflock
46 27 0:47 / /bee rw - beegfs beegfs_nodev rw
47 27 0:48 / /ssh rw - fuse.sshfs host:/data rw,user_id=0
48 27 0:49 / /win rw - cifs //server/share rw,nobrl
49 27 0:50 / /with\040space rw - nfs4 server:/space rw,local_lock=none
50 40 254:1 / /home/fast rw - xfs /dev/vdb rw
51 27 254:2 / /later rw - ext4 /dev/vdc rw
52 27 0:51 / /later rw - nfs4 server:/later rw,local_lock=none
torn line
"""


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "mountinfo"
    file.write_text(TABLE)
    return file


@pytest.mark.parametrize(
    ("folder", "kind", "is_shared", "reach"),
    [
        ("/data/runs", "ext4", False, "one host"),
        ("/home/me/runs/not/there", "nfs4", True, "all hosts"),
        ("/homeless", "ext4", False, "one host"),
        ("/home/fast/runs", "xfs", False, "one host"),
        ("/old/runs", "nfs", True, "one host"),
        ("/half/runs", "nfs", True, "one host"),
        ("/posix/runs", "nfs", True, "all hosts"),
        ("/scratch/runs", "lustre", True, "all hosts"),
        ("/local/runs", "lustre", True, "one host"),
        ("/bee", "beegfs", True, "unknown"),
        ("/ssh/runs", "fuse.sshfs", True, "unknown"),
        ("/win/runs", "cifs", True, "one host"),
        ("/with space/runs", "nfs4", True, "all hosts"),
        ("/later/runs", "nfs4", True, "all hosts"),
    ],
)
def test_the_mount_that_holds_a_folder(table, folder, kind, is_shared, reach):
    mount = mount_of(folder, table)
    assert (mount.kind, mount.is_shared, mount.lock_reach) == (kind, is_shared, reach)


def test_a_link_leads_to_the_mount_of_what_it_names(table, tmp_path):
    (tmp_path / "runs").symlink_to("/home/me")
    assert mount_of(tmp_path / "runs", table).kind == "nfs4"


def test_a_system_without_a_table_is_not_shared(tmp_path):
    mount = mount_of(tmp_path, tmp_path / "none")
    assert (mount.kind, mount.is_shared) == ("", False)
