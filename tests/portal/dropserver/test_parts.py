import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from portal.dropserver.jail import Jail
from portal.dropserver.parts import Parts, remove_old
from portal.dropserver.upload_faults import Busy, UploadBroken

NAME = ("Courses", "a.csv")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "Courses").mkdir()
    return tmp_path


@pytest.fixture
def jail(root):
    with Jail(root) as jail:
        yield jail


@pytest.fixture
def parts(jail):
    return Parts(jail, "1")


def sent(parts, data, name=NAME, *, fresh=True, offset=0, may_replace=False):
    part = parts.open(name, fresh=fresh)
    part.write(offset, data)
    return part.finish(may_replace=may_replace)


def test_it_shows_the_name_only_when_the_upload_is_closed(parts, root):
    part = parts.open(NAME, fresh=True)
    part.write(0, b"half")
    assert not (root / "Courses" / "a.csv").exists()
    part.append(b" whole")
    assert part.finish(may_replace=False) == 10
    assert (root / "Courses" / "a.csv").read_bytes() == b"half whole"
    assert parts.stat(NAME) is None


def test_it_keeps_what_was_left_open_and_goes_on_from_it(parts, root):
    part = parts.open(NAME, fresh=True)
    part.write(0, b"half")
    assert part.abandon() == 4
    assert not (root / "Courses" / "a.csv").exists()
    assert parts.stat(NAME).st_size == 4
    sent(parts, b" whole", fresh=False, offset=4)
    assert (root / "Courses" / "a.csv").read_bytes() == b"half whole"


def test_it_begins_anew_when_the_client_truncates(parts, root):
    part = parts.open(NAME, fresh=True)
    part.write(0, b"a long beginning")
    part.abandon()
    sent(parts, b"short")
    assert (root / "Courses" / "a.csv").read_bytes() == b"short"


def test_it_resumes_only_from_what_arrived_without_a_gap(parts):
    part = parts.open(NAME, fresh=True)
    part.write(0, b"abc")
    part.write(10, b"xyz")
    assert part.abandon() == 3
    assert parts.stat(NAME).st_size == 3


def test_it_goes_on_from_a_complete_file_and_leaves_it_until_the_close(parts, root):
    final = root / "Courses" / "a.csv"
    sent(parts, b"first")
    part = parts.open(NAME, fresh=False)
    part.append(b" second")
    assert final.read_bytes() == b"first"
    part.finish(may_replace=True)
    assert final.read_bytes() == b"first second"


def test_a_file_that_is_continued_has_no_end_of_an_older_and_longer_part(parts, root):
    sent(parts, b"first")
    part = parts.open(NAME, fresh=True)
    part.write(0, b"an older, longer part")
    part.abandon()
    part = parts.open(NAME, fresh=False)
    part.append(b" second")
    part.finish(may_replace=True)
    assert (root / "Courses" / "a.csv").read_bytes() == b"first second"


def test_a_part_that_was_cut_is_not_lengthened_again_when_the_session_is_lost(parts, root):
    part = parts.open(NAME, fresh=True)
    part.write(0, b"0123456789")
    part.truncate(4)
    assert part.abandon() == 4
    sent(parts, b"45", fresh=False, offset=4)
    assert (root / "Courses" / "a.csv").read_bytes() == b"012345"


def test_it_replaces_a_file_only_if_it_may(parts, root):
    sent(parts, b"first")
    with pytest.raises(FileExistsError):
        sent(parts, b"second")
    assert (root / "Courses" / "a.csv").read_bytes() == b"first"
    sent(parts, b"second", may_replace=True)
    assert (root / "Courses" / "a.csv").read_bytes() == b"second"


def test_it_refuses_a_second_writer_whatever_his_account(parts, jail):
    part = parts.open(NAME, fresh=True)
    for other in (parts, Parts(jail, "2")):
        with pytest.raises(Busy, match="another session"):
            other.open(NAME, fresh=True)
    parts.open(("Courses", "b.csv"), fresh=True).abandon()
    part.abandon()
    Parts(jail, "2").open(NAME, fresh=True).abandon()


def test_it_does_not_show_one_accounts_part_to_another(parts, jail):
    part = parts.open(NAME, fresh=True)
    part.write(0, b"mine")
    part.abandon()
    assert Parts(jail, "2").stat(NAME) is None
    sent(Parts(jail, "2"), b"other", fresh=False)
    assert parts.stat(NAME).st_size == 4


def test_it_needs_the_folder_to_be_there(parts, root):
    with pytest.raises(FileNotFoundError):
        parts.open(("Nowhere", "a.csv"), fresh=True)
    with pytest.raises(NotADirectoryError):
        sent(parts, b"x", ("a.csv",))
        parts.open(("a.csv", "b.csv"), fresh=True)


def test_a_full_disk_is_a_failure_and_never_a_short_file(root):
    """RLIMIT_FSIZE stands for the disk: the same pwrite fails, or writes less than it was given."""
    script = """
        import resource, signal, sys
        from portal.dropserver.jail import Jail
        from portal.dropserver.parts import Parts
        from portal.dropserver.upload_faults import UploadBroken
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        parts = Parts(Jail(sys.argv[1]), "1")
        part = parts.open(("Courses", "a.csv"), fresh=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        part.write(0, b"x" * 6_000)
        try:
            part.write(6_000, b"x" * 6_000)
        except OSError as error:
            print("refused", error.errno)
        try:
            part.finish(may_replace=False)
        except UploadBroken as error:
            print(error.strerror)
        print(parts.stat(("Courses", "a.csv")).st_size)
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(root)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = ran.stdout.splitlines()
    assert lines[0] == f"refused {errno.EFBIG}"
    assert "Send it again" in lines[1]
    assert lines[2] == "6000"
    assert not (root / "Courses" / "a.csv").exists()


def test_a_failed_write_cannot_be_made_good_by_a_later_one(parts, root):
    part = parts.open(NAME, fresh=True)
    with pytest.raises(OSError, match="too large"):
        part.fail("too large")
    part.write(0, b"x")
    with pytest.raises(UploadBroken, match="too large"):
        part.finish(may_replace=False)
    assert not (root / "Courses" / "a.csv").exists()


def test_a_killed_writer_leaves_a_part_and_no_lock(parts, root):
    script = """
        import os, signal, sys
        from portal.dropserver.jail import Jail
        from portal.dropserver.parts import Parts
        Parts(Jail(sys.argv[1]), "1").open(("Courses", "a.csv"), fresh=True).write(0, b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(root)], check=False)
    assert ran.returncode == -signal.SIGKILL
    assert not (root / "Courses" / "a.csv").exists()
    sent(parts, b" whole", fresh=False, offset=4)
    assert (root / "Courses" / "a.csv").read_bytes() == b"half whole"


def test_it_clears_old_parts_but_not_one_that_is_being_written(parts, jail, root):
    for name in ("old.csv", "open.csv", "new.csv"):
        part = parts.open(("Courses", name), fresh=True)
        part.write(0, b"x")
        if name != "open.csv":
            part.abandon()
        else:
            held = part
    for name in ("old.csv", "open.csv"):
        part = parts._name(("Courses", name))
        os.utime(root / ".parts" / part, (1_000, 1_000))
    assert remove_old(jail, before=2_000) == 1
    assert parts.stat(("Courses", "old.csv")) is None
    assert parts.stat(("Courses", "new.csv")) is not None
    held.finish(may_replace=False)
    assert (root / "Courses" / "open.csv").exists()


def test_it_leaves_no_descriptor_open(parts):
    before = len(list(Path("/proc/self/fd").iterdir()))
    sent(parts, b"x")
    parts.open(("Courses", "b.csv"), fresh=True).abandon()
    for fresh in (True, False):
        with pytest.raises(FileNotFoundError):
            parts.open(("Nowhere", "a.csv"), fresh=fresh)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
