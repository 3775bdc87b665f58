"""A template account over the real server: its home is its root, and what it may do there."""

import io

import paramiko
import pytest

from imports.collect import rounds
from imports.jobs import pipeline, queue
from imports.models import Arrival, ImportTemplate, TemplateVersion
from portal import provision, tenancy
from portal.dropserver.ledger import Ledger
from portal.models import LoginScore, Upload
from tests.imports.collect.test_template_files import PLAIN
from tests.imports.folder import without_data
from tests.portal.dropserver.conftest import Running

pytestmark = pytest.mark.usefixtures("transactional_db")
RIGHT = "correct horse battery"


@pytest.fixture
def everyone():
    with tenancy.everyone("a test looks at all tenants"):
        yield


@pytest.fixture
def endpoint(settings, tmp_path, everyone):
    settings.DROPS_DIR = tmp_path / "drops"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return provision.endpoint(provision.tenant("Alpha", "alpha"))


@pytest.fixture
def account(endpoint):
    return provision.template_account(endpoint, "pat", "harbor", "tx", RIGHT)


@pytest.fixture
def home(settings, account):
    return settings.DROPS_DIR / str(account.endpoint.uid) / account.home


@pytest.fixture
def running(account, tmp_path):
    async def make():
        return Ledger()

    running = Running(tmp_path, make_gate=make)
    yield running
    running.stop()
    running.gate.close()


class Client:
    def __init__(self, running, username):
        self._transport = paramiko.Transport(("127.0.0.1", running.port))
        self._login = {"username": username, "password": RIGHT}

    def __enter__(self):
        try:
            self._transport.connect(**self._login)
        except BaseException:
            self._transport.close()
            raise
        return paramiko.SFTPClient.from_transport(self._transport)

    def __exit__(self, *_):
        self._transport.close()


@pytest.mark.parametrize(
    "name", ["pat_admin_harbor_tx", "pat.admin.harbor.tx", "PAT.Admin.Harbor.TX"]
)
def test_either_form_of_the_name_opens_the_home_as_the_root(running, home, name):
    with Client(running, name) as sftp:
        assert sftp.listdir("/") == []
        sftp.putfo(io.BytesIO(b"a,b\n"), "/users.csv.filepart")
        sftp.rename("/users.csv.filepart", "/users.csv")
        assert sftp.listdir("/") == ["users.csv"]
        with pytest.raises(PermissionError, match="outside your folder"):
            sftp.stat("/../x")
    assert (home / "users.csv").read_bytes() == b"a,b\n"


def test_its_uploads_are_recorded_below_the_endpoint(running, account):
    with Client(running, account.username) as sftp:
        sftp.putfo(io.BytesIO(b"a,b\n"), "users.csv.filepart")
        sftp.rename("users.csv.filepart", "users.csv")
        running.gate.flush()
    upload = Upload.objects.get()
    assert (upload.path, upload.account) == (f"{account.home}/users.csv", account)


def test_it_removes_own_files_and_results_but_makes_no_folder(running, account, home):
    with Client(running, account.username) as sftp:
        sftp.putfo(io.BytesIO(b"a,b\n"), "users.csv")
        sftp.rename("users.csv", "Users.csv")
        sftp.remove("Users.csv")
        (home / "users.csv.result.txt").write_text("users.csv: complete")
        with pytest.raises(PermissionError, match="created by the portal"):
            sftp.putfo(io.BytesIO(b"x"), "users.csv.result.txt")
        sftp.remove("users.csv.result.txt")
        with pytest.raises(PermissionError, match="Only the portal creates folders"):
            sftp.mkdir("new")
        with pytest.raises(PermissionError, match="Folders belong to the portal"):
            sftp.rmdir("/")
        assert sftp.listdir() == []


def test_an_account_of_the_whole_tree_puts_nothing_into_a_home(running, account, endpoint, home):
    provision.account(endpoint, "whole", RIGHT)
    with Client(running, account.username) as sftp:
        sftp.putfo(io.BytesIO(b"pats"), "mine.csv")
    with Client(running, "whole") as sftp:
        assert "homes" in sftp.listdir("/")
        for step in (
            lambda: sftp.putfo(io.BytesIO(b"x"), f"/{account.home}/users.csv"),
            lambda: sftp.remove(f"/{account.home}/mine.csv"),
            lambda: sftp.rename(f"/{account.home}/mine.csv", "/Courses/mine.csv"),
        ):
            with pytest.raises(PermissionError, match="accounts of their own"):
                step()
    assert (home / "mine.csv").read_bytes() == b"pats"


def test_failures_of_both_forms_count_as_one(running, account):
    for name in ("pat_admin_harbor_tx", "pat.admin.harbor.tx"):
        client = Client(running, name)
        client._login["password"] = "wrong"
        with pytest.raises(paramiko.AuthenticationException), client:
            pass
    assert LoginScore.objects.get(key="127.0.0.1|pat_admin_harbor_tx").failures == 2


def test_a_file_sent_by_openssh_becomes_records_and_leaves_the_home(
    running, account, home, settings, tmp_path
):
    settings.TEMPLATE_QUIET_SECONDS = 0
    settings.MEDIA_ROOT = tmp_path / "files"
    provision.key(account, f"{running.public} pat@laptop")
    tenant = account.tenant_id
    template = ImportTemplate.objects.create(
        tenant_id=tenant, name="People", feed="accounts", account=account, file_names=["users.csv"]
    )
    template.current = TemplateVersion.objects.create(
        tenant_id=tenant, template=template, number=1, spec=PLAIN
    )
    template.save()
    (tmp_path / "here.csv").write_text(
        "PersonIdentifier,FirstName,LastName,Email\n1,Ada,Lovelace,ada@example.edu\n"
    )
    running.sftp(
        f"put {tmp_path}/here.csv users.csv.filepart",
        "rename users.csv.filepart users.csv",
        f"put {tmp_path}/here.csv Users.csv",
        f"put {tmp_path}/here.csv mistake.csv",
        "rm mistake.csv",
        user="pat.admin.harbor.tx",
    )
    running.gate.flush()
    with tenancy.scope(tenant):
        rounds.poll(tenant)
        job = queue.next_job(tenant)
        pipeline.run(job)
        rounds.poll(tenant)
        job.refresh_from_db()
        arrivals = dict(Arrival.objects.values_list("name", "state"))
        senders = set(Arrival.objects.values_list("account__username", flat=True))
    assert (job.state, job.rows_created) == ("complete", 1)
    assert arrivals == {"users.csv": "done", "Users.csv": "unmatched"}
    assert senders == {"pat_admin_harbor_tx"}
    names = without_data({path.name for path in home.iterdir()} - {".parts"})
    assert names == {"users.csv.result.txt", "Users.csv", "Users.csv.result.txt"}
    finished = running.sftp(
        "get users.csv.result.txt " + str(tmp_path / "r"), user=account.username
    )
    assert finished.returncode == 0
    assert (tmp_path / "r").read_text().startswith("complete: users.csv")
