"""lftp and paramiko against the real server, and the habits of WinSCP and FileZilla."""

import hashlib
import io
import os
import shutil
import subprocess

import paramiko
import pytest

from portal.dropserver.gate import Ending
from tests.portal.dropserver.conftest import FOLDER, eventually

HERE = "/Accounts/AccountImports"


@pytest.fixture
def client(running):
    with connected(running) as client:
        yield client


def connected(running, **login):
    client = paramiko.SSHClient()
    client.load_host_keys(str(running.known_hosts))
    login = {"key_filename": str(running.key)} | login
    client.connect(
        "127.0.0.1",
        running.port,
        "maria",
        look_for_keys=False,
        allow_agent=False,
        timeout=10,
        **login,
    )
    return client


@pytest.fixture
def sftp(client):
    with client.open_sftp() as sftp:
        yield sftp


@pytest.fixture
def lftp(running, tmp_path):
    if not shutil.which("lftp"):
        pytest.skip("lftp is not installed")
    program = " ".join(["ssh", "-a", "-x", *running.ssh_options, "-i", str(running.key)])
    home = tmp_path / "home"
    home.mkdir()

    def run(*commands):
        script = [
            f'set sftp:connect-program "{program}"',
            "set net:max-retries 1",
            "set cmd:fail-exit yes",
            f"open -u maria, sftp://127.0.0.1:{running.port}",
            *commands,
            "bye",
        ]
        ran = subprocess.run(
            ["lftp", "-c", "; ".join(script)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "HOME": str(home), "LFTP_HOME": str(home)},
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


@pytest.fixture
def rclone(running, tmp_path):
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed")
    remote = (
        f":sftp,host=127.0.0.1,port={running.port},user=maria,key_file={running.key},"
        f"known_hosts_file={running.known_hosts},shell_type=none:"
    )

    def run(*arguments):
        ran = subprocess.run(
            ["rclone", "--config", "", *(a.replace("DROP:", remote) for a in arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return run


@pytest.mark.parametrize("size", [0, 1, 32_767, 32_768, 32_769, 2_000_000])
def test_rclone_puts_lists_and_gets(running, rclone, tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "a.csv").write_bytes(data)
    rclone("copyto", str(tmp_path / "a.csv"), f"DROP:{HERE}/a.csv")
    assert (running.drop / "a.csv").read_bytes() == data
    assert f"{size} a.csv" in rclone("ls", f"DROP:{HERE}")
    rclone("copyto", f"DROP:{HERE}/a.csv", str(tmp_path / "b.csv"))
    assert (tmp_path / "b.csv").read_bytes() == data
    assert running.gate.endings((*FOLDER, "a.csv"))[-1] == Ending.COMPLETE


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_puts_lists_gets_and_gets_a_part(running, tmp_path):
    data = os.urandom(2_000_000)
    (tmp_path / "a.csv").write_bytes(data)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text(running.known_hosts.read_text())
    (tmp_path / "id.pub").write_text(f"{running.public}\n")
    address = f"sftp://127.0.0.1:{running.port}{HERE}/"

    def curl(*arguments):
        key = ["--key", running.key, "--pubkey", tmp_path / "id.pub", "-u", "maria:"]
        return subprocess.run(
            ["curl", "-sS", "--fail", *key, *arguments],
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True,
            timeout=60,
            check=True,
        ).stdout

    curl("-T", tmp_path / "a.csv", f"{address}a.csv")
    assert (running.drop / "a.csv").read_bytes() == data
    assert b"a.csv" in curl(address)
    assert curl(f"{address}a.csv") == data
    assert curl("-r", "1999990-", f"{address}a.csv") == data[1_999_990:]


def test_lftp_puts_lists_and_gets(running, lftp, tmp_path):
    data = os.urandom(2_000_000)
    (tmp_path / "a.csv").write_bytes(data)
    listing = lftp(
        f"put -O {HERE} {tmp_path}/a.csv", f"ls {HERE}", f"get -O {tmp_path}/home {HERE}/a.csv"
    )
    assert "a.csv" in listing
    assert (tmp_path / "home" / "a.csv").read_bytes() == data
    assert running.gate.endings((*FOLDER, "a.csv")) == [Ending.COMPLETE]


def test_lftp_goes_on_with_a_part(running, lftp, sftp, tmp_path):
    data = os.urandom(500_000)
    (tmp_path / "a.csv").write_bytes(data)
    cut_off(running, sftp, f"{HERE}/a.csv", data[:123_456])
    lftp(f"put -c -O {HERE} {tmp_path}/a.csv")
    assert (running.drop / "a.csv").read_bytes() == data


def test_lftp_mirrors_a_folder(running, lftp, tmp_path):
    source = tmp_path / "nightly"
    source.mkdir()
    for number in range(5):
        (source / f"{number}.csv").write_bytes(os.urandom(10_000))
    lftp(f"mirror -R {source} {HERE}")
    assert {f.name: f.read_bytes() for f in source.iterdir()} == {
        f.name: f.read_bytes() for f in running.drop.iterdir()
    }


def test_lftp_uploads_to_a_temporary_name(running, lftp, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a")
    once = ["set xfer:use-temp-file yes", f"put -O {HERE} {tmp_path}/a.csv"]
    lftp(*once)
    lftp(*once)
    assert [file.name for file in running.drop.iterdir()] == ["a.csv"]


def cut_off(running, sftp, path, data):
    """Send the beginning of a file and lose the connection."""
    file = sftp.open(path, "wb")
    file.write(data)
    file.flush()
    file.stat()  # answered when all before it is
    name = tuple(path.strip("/").split("/"))
    sftp.get_channel().get_transport().close()
    eventually(lambda: running.gate.endings(name)[-1:] == [Ending.PARTIAL], "a partial upload")


def test_paramiko_puts_and_confirms(running, sftp):
    data = os.urandom(5_000_000)
    done = sftp.putfo(io.BytesIO(data), f"{HERE}/a.csv", confirm=True)
    assert done.st_size == len(data)
    back = io.BytesIO()
    sftp.getfo(f"{HERE}/a.csv", back)
    assert back.getvalue() == data


def test_paramiko_logs_in_with_a_password(running):
    with connected(running, key_filename=None, password="correct horse battery") as client:
        assert "Accounts" in client.open_sftp().listdir("/")
    with pytest.raises(paramiko.AuthenticationException):
        connected(running, key_filename=None, password="wrong")


def test_winscp_uploads_to_filepart_removes_renames_and_sets_the_time(running, sftp):
    for data in (b"first", b"second"):
        sftp.putfo(io.BytesIO(data), f"{HERE}/x.csv.filepart")
        if data == b"second":
            sftp.remove(f"{HERE}/x.csv")
        sftp.rename(f"{HERE}/x.csv.filepart", f"{HERE}/x.csv")
        sftp.utime(f"{HERE}/x.csv", (1_000_000, 1_000_000))
    assert (running.drop / "x.csv").read_bytes() == b"second"
    assert [file.name for file in running.drop.iterdir()] == ["x.csv"]
    assert running.gate.rings[-1] == (*FOLDER, "x.csv")


def test_winscp_resumes_a_filepart(running, sftp):
    data = os.urandom(300_000)
    cut_off(running, sftp, f"{HERE}/x.csv.filepart", data[:100_000])
    with connected(running) as again, again.open_sftp() as sftp:
        size = sftp.stat(f"{HERE}/x.csv.filepart").st_size
        assert size == 100_000
        with sftp.open(f"{HERE}/x.csv.filepart", "r+b") as file:
            file.seek(size)
            file.write(data[size:])
        sftp.rename(f"{HERE}/x.csv.filepart", f"{HERE}/x.csv")
    assert (running.drop / "x.csv").read_bytes() == data


def test_filezilla_sets_mode_and_time_and_nothing_changes(running, sftp):
    sftp.putfo(io.BytesIO(b"data"), f"{HERE}/a.csv")
    before = (running.drop / "a.csv").stat()
    sftp.chmod(f"{HERE}/a.csv", 0o777)
    sftp.chown(f"{HERE}/a.csv", 0, 0)
    sftp.utime(f"{HERE}/a.csv", (1, 1))
    after = (running.drop / "a.csv").stat()
    assert (after.st_mode, after.st_uid, after.st_mtime_ns) == (
        before.st_mode,
        before.st_uid,
        before.st_mtime_ns,
    )
    with pytest.raises(PermissionError):
        sftp.truncate(f"{HERE}/a.csv", 1)
    with pytest.raises(FileNotFoundError):
        sftp.chmod(f"{HERE}/no.csv", 0o777)


def test_setstat_reaches_nothing_outside(running, sftp, tmp_path):
    outside = tmp_path / "outside.csv"
    outside.write_bytes(b"outside")
    (running.root / "link").symlink_to(outside)
    before = outside.stat()
    for path in ("/link", "../outside.csv", str(outside)):
        for call in (lambda p=path: sftp.chmod(p, 0o777), lambda p=path: sftp.truncate(p, 0)):
            with pytest.raises(OSError, match=r"Links|outside your folder|No such|not served"):
                call()
    assert outside.stat() == before


def test_two_writers_of_one_name_do_not_mix(running, sftp):
    first = sftp.open(f"{HERE}/a.csv", "wb")
    first.write(b"first")
    with connected(running) as other, other.open_sftp() as second:
        with pytest.raises(OSError, match="another session"):
            second.open(f"{HERE}/a.csv", "wb")
        first.close()
        second.open(f"{HERE}/a.csv", "wb").close()
    assert (running.drop / "a.csv").read_bytes() == b""


def test_an_unfinished_upload_can_be_thrown_away(running, sftp):
    cut_off(running, sftp, f"{HERE}/a.csv", b"begun")
    with connected(running) as again, again.open_sftp() as sftp:
        with pytest.raises(FileNotFoundError):
            sftp.open(f"{HERE}/a.csv", "rb")
        sftp.remove(f"{HERE}/a.csv")
        with pytest.raises(FileNotFoundError):
            sftp.stat(f"{HERE}/a.csv")


def test_another_accounts_file_stays_as_it_is(running, sftp):
    running.admit("pedro")
    sftp.putfo(io.BytesIO(b"marias"), f"{HERE}/a.csv")
    with paramiko.Transport(("127.0.0.1", running.port)) as transport:
        transport.connect(username="pedro", password="correct horse battery")
        other = paramiko.SFTPClient.from_transport(transport)
        other.putfo(io.BytesIO(b"pedros"), f"{HERE}/b.csv")
        for call in (
            lambda: other.putfo(io.BytesIO(b"x"), f"{HERE}/a.csv"),
            lambda: other.remove(f"{HERE}/a.csv"),
            lambda: other.rename(f"{HERE}/a.csv", f"{HERE}/c.csv"),
            lambda: other.posix_rename(f"{HERE}/b.csv", f"{HERE}/a.csv"),
        ):
            with pytest.raises(PermissionError, match="another account"):
                call()
    assert (running.drop / "a.csv").read_bytes() == b"marias"


def test_a_name_taken_meanwhile_is_not_overwritten(running, sftp):
    file = sftp.open(f"{HERE}/a.csv", "wb")
    file.write(b"mine")
    (running.drop / "a.csv").write_bytes(b"the portal's")
    file.close()  # paramiko hides the refusal; the confirmation of `putfo` would find it
    assert (running.drop / "a.csv").read_bytes() == b"the portal's"
    assert running.gate.endings((*FOLDER, "a.csv")) == [Ending.PARTIAL]
    assert not running.gate.rings


@pytest.mark.parametrize("seed", range(10))
def test_a_connection_lost_at_any_offset_is_never_a_file(running, sftp, seed):
    data = os.urandom(200_000)
    offset = int.from_bytes(hashlib.sha256(bytes([seed])).digest()[:4], "big") % len(data)
    cut_off(running, sftp, f"{HERE}/a.csv", data[:offset])
    assert not (running.drop / "a.csv").exists()
    assert not running.gate.rings
    with connected(running) as again, again.open_sftp() as sftp:
        assert sftp.stat(f"{HERE}/a.csv").st_size == offset
        with sftp.open(f"{HERE}/a.csv", "ab") as file:
            file.write(data[offset:])
    assert (running.drop / "a.csv").read_bytes() == data
