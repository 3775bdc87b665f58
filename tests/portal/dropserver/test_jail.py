import fcntl
import os
import threading

import pytest

from portal.dropserver.jail import Jail, LinkRefused
from portal.dropserver.parts import Parts
from portal.dropserver.paths import PathRefused, canonical, canonical_new
from tests.portal.dropserver import hostile

SECRET = b"nobody may read this"


@pytest.fixture
def tree(tmp_path):
    """A root beside files that must not be touched, with every kind of link into them."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for folder in (tmp_path, outside, tmp_path / "root1x"):
        folder.mkdir(exist_ok=True)
        (folder / hostile.CANARY).write_bytes(SECRET)
    root = tmp_path / "root"
    (root / "Courses").mkdir(parents=True)
    (root / "link").symlink_to(outside)
    (root / "Courses" / "link").symlink_to("../../outside")
    (root / "linked.csv").symlink_to(outside / hostile.CANARY)
    (root / "dangling").symlink_to(outside / "new.txt")
    (root / "hard.csv").hardlink_to(outside / hostile.CANARY)
    os.mkfifo(root / "pipe")
    (root / "plain.csv").write_bytes(b"a,b\n")
    return tmp_path


@pytest.fixture
def jail(tree):
    with Jail(tree / "root") as jail:
        yield jail


def untouched(tree):
    """Everything outside the root, as names and bytes."""
    return {
        str(file.relative_to(tree)): file.read_bytes()
        for file in tree.rglob("*")
        if file.is_file() and not file.is_relative_to(tree / "root")
    }


def attempts(jail, parts, raw):
    """Everything a client can ask for with one path; what was read is yielded."""

    def read(path):
        fd = jail.open_read(path)
        try:
            return os.read(fd, 1000)
        finally:
            os.close(fd)

    def upload(path):
        part = parts.open(path, fresh=True)
        part.write(0, b"overwritten")
        part.finish(may_replace=True)

    path, new = canonical(raw), canonical_new(raw)
    yield lambda: jail.stat(path) and b""
    yield lambda: repr(jail.entries(path)).encode()
    yield lambda: read(path)
    yield lambda: jail.rename(path, ("Courses", "stolen.csv"), replace=True)
    yield lambda: jail.rename(("plain.csv",), new, replace=True)
    yield lambda: upload(new)
    yield lambda: read(new)
    yield lambda: jail.remove(path)


def test_no_hostile_path_reads_or_writes_outside(tree, jail):
    before, parts, tried = untouched(tree), Parts(jail, "1"), 0
    for raw in hostile.raw():
        (tree / "root" / "plain.csv").write_bytes(b"a,b\n")
        try:
            for attempt in attempts(jail, parts, raw):
                tried += 1
                try:
                    assert SECRET not in (attempt() or b""), raw
                except OSError:
                    continue
        except PathRefused:
            continue
    assert tried > 500
    assert untouched(tree) == before


@pytest.mark.parametrize(
    "path",
    [
        ("linked.csv",),
        ("hard.csv",),
        ("dangling",),
        ("pipe",),
        ("link", "canary.txt"),
        ("Courses", "link", "canary.txt"),
    ],
)
def test_it_refuses_links_and_special_files(jail, path):
    with pytest.raises(LinkRefused):
        os.close(jail.open_read(path))
    with pytest.raises(LinkRefused):
        jail.remove(path)
    with pytest.raises(LinkRefused):
        jail.rename(path, ("moved.csv",))
    with pytest.raises(LinkRefused):
        jail.rename(("plain.csv",), path, replace=True)


def test_it_refuses_to_overwrite_a_file_with_a_second_name(jail, tree):
    part = Parts(jail, "1").open(("hard.csv",), fresh=True)
    part.write(0, b"overwritten")
    with pytest.raises(LinkRefused):
        part.finish(may_replace=True)
    assert (tree / "outside" / hostile.CANARY).read_bytes() == SECRET


def test_it_lists_neither_links_nor_special_files_nor_the_parts(jail):
    Parts(jail, "1").open(("x",), fresh=True).abandon()
    assert [entry.name for entry in jail.entries(())] == ["Courses", "hard.csv", "plain.csv"]


def test_it_takes_no_directory_for_a_file(jail):
    for call in (
        lambda: jail.open_read(("Courses",)),
        lambda: jail.remove(("Courses",)),
        lambda: jail.rename(("Courses",), ("Other",)),
        lambda: jail.rename(("plain.csv",), ("Courses",), replace=True),
        lambda: jail.open_read(()),
        lambda: jail.remove(()),
    ):
        with pytest.raises(IsADirectoryError):
            call()


def test_it_renames_onto_nothing_unless_it_is_told_to(jail, tree):
    (tree / "root" / "other.csv").write_bytes(b"other")
    with pytest.raises(FileExistsError):
        jail.rename(("plain.csv",), ("other.csv",))
    jail.rename(("plain.csv",), ("other.csv",), replace=True)
    assert (tree / "root" / "other.csv").read_bytes() == b"a,b\n"


def test_two_processes_that_give_the_same_name_take_turns(jail, tree, monkeypatch):
    """While another process holds the folder's lock a rename waits, and then sees what it did."""
    lock, asked, answers = fcntl.flock, threading.Event(), []

    def noted(fd, operation):
        asked.set()
        lock(fd, operation)

    def rename():
        try:
            jail.rename(("plain.csv",), ("Courses", "new.csv"))
        except FileExistsError as error:
            answers.append(error)
        asked.set()

    folder = os.open(tree / "root" / "Courses", os.O_RDONLY)
    try:
        lock(folder, fcntl.LOCK_EX)
        monkeypatch.setattr(fcntl, "flock", noted)
        other = threading.Thread(target=rename)
        other.start()
        assert asked.wait(10)
        (tree / "root" / "Courses" / "new.csv").write_bytes(b"the other's")
    finally:
        os.close(folder)
    other.join(10)
    assert len(answers) == 1
    assert (tree / "root" / "Courses" / "new.csv").read_bytes() == b"the other's"
    assert (tree / "root" / "plain.csv").exists()


def test_it_makes_folders_but_through_no_link(jail, tree):
    jail.make_directory(("Accounts", "AccountImports"))
    jail.make_directory(("Accounts", "AccountImports"))
    assert (tree / "root" / "Accounts" / "AccountImports").is_dir()
    with pytest.raises(OSError, match="Links"):
        jail.make_directory(("link", "new"))
    assert not (tree / "outside" / "new").exists()


def test_swapping_a_folder_for_a_link_meanwhile_opens_nothing_outside(jail, tree):
    """Somebody with a shell swaps `swap` between a folder and a link as fast as he can."""
    root, stop = tree / "root", threading.Event()
    real, fake, swap = root / "real", root / "fake", root / "swap"
    real.mkdir()
    (real / hostile.CANARY).write_bytes(b"inside")
    fake.symlink_to(tree / "outside")

    def switch():
        while not stop.is_set():
            for source in (real, fake):
                source.rename(swap)
                swap.rename(source)

    thread = threading.Thread(target=switch)
    thread.start()
    seen = {"inside": 0, "refused": 0}
    try:
        while min(seen.values()) < 20:
            try:
                fd = jail.open_read(("swap", hostile.CANARY))
            except OSError:
                seen["refused"] += 1
                continue
            data = os.read(fd, 100)
            os.close(fd)
            assert data == b"inside"
            seen["inside"] += 1
    finally:
        stop.set()
        thread.join()


def test_swapping_a_file_for_a_link_meanwhile_moves_nothing_outside(jail, tree):
    root, stop, before = tree / "root", threading.Event(), untouched(tree)

    def switch():
        while not stop.is_set():
            (root / "fresh").write_bytes(b"inside")
            (root / "fresh").rename(root / "swap.csv")
            (root / "fresh").symlink_to(tree / "outside" / hostile.CANARY)
            (root / "fresh").rename(root / "swap.csv")

    thread = threading.Thread(target=switch)
    thread.start()
    seen = {"inside": 0, "refused": 0}
    try:
        while min(seen.values()) < 20:
            try:
                jail.rename(("swap.csv",), ("Courses", "got.csv"), replace=True)
                fd = jail.open_read(("Courses", "got.csv"))
            except LinkRefused:
                seen["refused"] += 1
                (root / "Courses" / "got.csv").unlink(missing_ok=True)
                continue
            except FileNotFoundError:
                continue
            assert os.read(fd, 100) == b"inside"
            os.close(fd)
            seen["inside"] += 1
    finally:
        stop.set()
        thread.join()
    assert untouched(tree) == before
