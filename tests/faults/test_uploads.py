"""Uploads cut off by client and server (A12), two hundred sessions (A22), many files (A23)."""

import asyncio
import random
import statistics
import threading
import time

import asyncssh
import psutil
import pytest

from imports.models import Arrival, ImportJob
from portal import provision
from portal.demo.samples import manifest, md5
from portal.models import Account, DropSession
from tests.faults import clients, invariants
from tests.faults.harness import Rig, eventually
from tests.faults.sender import FOLDER, PASSWORD, Sender, csv, rows
from tests.sizes import FULL, scaled

OFFSETS = scaled(12, 100)
ROWS = 5_000
SESSIONS = scaled(100, 200)
MEBIBYTE = 1 << 20
SMALL_FILES = scaled(1_000, 10_000)
SMALL_FILES_SECONDS = 60
NAMED = scaled(40, 1_000)
DROP_MEMORY = 400 << 20
WORKER_MEMORY = 300 << 20


@pytest.fixture
def dropping(working: Rig) -> Rig:
    working.ensure(working.drop)
    return working


def login(rig: Rig, sender: Sender) -> tuple[str, int, str, str]:
    return rig.sftp.host, rig.sftp.port, sender.username, PASSWORD


def test_a_client_killed_at_any_byte_has_sent_nothing(dropping: Rig, sender: Sender, tmp_path):
    """The manifest comes all the same; the whole file and a new manifest are good afterwards."""
    dice = random.Random(3)
    target = login(dropping, sender)
    for number in range(OFFSETS):
        content = csv(rows(number * ROWS, ROWS))
        local = tmp_path / f"f{number}.csv"
        local.write_bytes(content)
        offset = dice.choice([0, len(content), dice.randrange(len(content))])
        clients.killed_after(*target, local, f"/{FOLDER}/{local.name}", offset)
    with clients.connected(*target) as client:
        for number in range(OFFSETS):
            put(client, f"f{number}.done", manifest([(f"f{number}.csv", "")]))
        refused = Arrival.objects.filter(tenant=sender.tenant, state=Arrival.State.INVALID_FILES)
        eventually(lambda: refused.count() == OFFSETS, "all manifests are refused")
        assert not sender.jobs(), [job.file_name for job in sender.jobs()]
        assert not list(sender.folder.glob("*.csv"))
        print(f"A12: {OFFSETS} uploads cut off, {OFFSETS} manifests refused, 0 jobs")
        for number in range(OFFSETS):
            for name, data in sender.files(f"f{number}", csv(rows(number * ROWS, ROWS))):
                put(client, name, data)
            sender.expect(rows(number * ROWS, ROWS))
            sender.sent += 1
    eventually(lambda: len(sender.jobs()) == OFFSETS, "the whole files are taken")
    sender.left |= {f"f{n}.done.CONTAINSINVALIDFILES" for n in range(OFFSETS)}
    invariants.hold(sender)


def put(client, name: str, content: bytes) -> None:
    with client.open(f"/{FOLDER}/{name}", "wb") as file:
        file.set_pipelined(True)
        file.write(content)


def test_an_upload_goes_on_after_the_servers_death(dropping: Rig, sender: Sender):
    content = csv(rows(1, 60_000))
    half = len(content) // 2
    target = login(dropping, sender)
    with pytest.raises((OSError, EOFError)), clients.connected(*target) as client:
        file = client.open(f"/{FOLDER}/big.csv", "wb")
        file.write(content[:half])
        file.flush()
        dropping.drop.kill()
        for start in range(half, len(content), 32_000):
            file.write(content[start : start + 32_000])
    assert not (sender.folder / "big.csv").exists()
    dropping.drop.start()
    with clients.connected(*target) as client:
        size = client.stat(f"/{FOLDER}/big.csv").st_size
        assert 0 < size <= half
        with client.open(f"/{FOLDER}/big.csv", "ab") as file:
            file.set_pipelined(True)
            file.write(content[size:])
        put(client, "big.done", manifest([("big.csv", md5(content))]))
    sender.expect(rows(1, 60_000))
    sender.sent = 1
    job = sender.final("big")
    assert job.state == ImportJob.State.COMPLETE
    invariants.hold(sender)


def test_many_sessions_at_once_each_put_a_mebibyte(dropping: Rig, sender: Sender):
    key = asyncssh.generate_private_key("ssh-ed25519")
    account = Account.objects.get(username=sender.username)
    provision.key(account, key.export_public_key("openssh").decode())
    peak = Peak(dropping.drop.pid)
    took, connects = asyncio.run(crowd(dropping, sender, key))
    assert len(list(sender.folder.glob("*.csv"))) == SESSIONS
    assert peak.stop() <= DROP_MEMORY
    late = statistics.quantiles(connects, n=20)[-1]
    print(
        f"A22: {SESSIONS} sessions, {took:.1f} s, connect p95 {late:.2f} s, {peak.most >> 20} MiB"
    )
    assert took <= 15
    assert late <= 2 or not FULL, "only a machine that does nothing else keeps this"
    open_sessions = DropSession.objects.filter(account=account, ended_at=None)
    eventually(lambda: not open_sessions.exists(), "no session is left", 15)
    sockets = [c for c in psutil.Process(dropping.drop.pid).net_connections() if c.raddr]
    assert not [c for c in sockets if c.laddr and c.laddr.port == dropping.sftp.port]
    for path in sender.folder.glob("*.csv"):
        assert path.stat().st_size == MEBIBYTE
        path.unlink()
    invariants.hold(sender)


async def crowd(rig: Rig, sender: Sender, key: asyncssh.SSHKey) -> tuple[float, list[float]]:
    """Seconds for all, and for each session until it was logged in."""
    content = bytes(MEBIBYTE)

    async def connect(number: int) -> float:
        began = time.monotonic()
        async with asyncssh.connect(
            rig.sftp.host, rig.sftp.port, username=sender.username, client_keys=[key],
            known_hosts=None, config=None, agent_path=None,
        ) as session:  # fmt: skip
            connected = time.monotonic() - began
            async with session.start_sftp_client() as client:
                name = f"/{FOLDER}/s{number}"
                async with client.open(f"{name}.tmp", "wb") as file:
                    await file.write(content)
                await client.rename(f"{name}.tmp", f"{name}.csv")
        return connected

    began = time.monotonic()
    connects = await asyncio.gather(*(connect(number) for number in range(SESSIONS)))
    return time.monotonic() - began, connects


class Peak:
    """The largest resident size of a process, sampled."""

    def __init__(self, pid: int) -> None:
        self.most = 0
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self.most = max(self.most, self._process.memory_info().rss)

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        return self.most


def test_a_thousand_small_files_in_one_session(dropping: Rig, sender: Sender):
    with clients.connected(*login(dropping, sender)) as client:
        began = time.monotonic()
        for number in range(SMALL_FILES):
            with client.open(f"/{FOLDER}/s{number:05d}.csv", "wb") as file:
                file.write(b"twelve bytes")
        took = time.monotonic() - began
        listed = time.monotonic()
        assert len(client.listdir(f"/{FOLDER}")) == SMALL_FILES
        listing = time.monotonic() - listed
    print(f"A23: {SMALL_FILES} files in {took:.1f} s, listed in {listing:.2f} s")
    assert took <= SMALL_FILES_SECONDS and listing <= 3
    for path in sender.folder.glob("s*.csv"):
        path.unlink()
    invariants.hold(sender)


def test_one_manifest_names_many_files(dropping: Rig, sender: Sender):
    """A thousand are named in FULL=1; each becomes a job of its own."""
    named = []
    for number in range(NAMED):
        content = csv(rows(number * 10, 10))
        sender.put(f"s{number:05d}.csv", content)
        named.append((f"s{number:05d}.csv", md5(content)))
        sender.expect(rows(number * 10, 10))
    sender.sent = NAMED
    began = time.monotonic()
    sender.put("all.done", manifest(named))
    dropping.ring_poll(sender.tenant.pk)
    invariants.hold(sender, seconds=600)
    memory = max(
        process.memory_info().rss
        for process in dropping.intake.children() + dropping.worker.children()
    )
    print(
        f"A23: {NAMED} files in one manifest, {time.monotonic() - began:.1f} s, {memory >> 20} MiB"
    )
    assert memory <= WORKER_MEMORY
    assert len(sender.arrivals()) == 1
