"""The way back over a real client: corrected rows under their own name, and what is overwritten."""

import hashlib
import json

import pytest

from imports.collect import rounds
from imports.jobs import actions, pipeline, queue
from imports.models import Arrival, ArrivalFile, ImportJob, ImportTemplate, TemplateVersion
from portal import provision, tenancy
from portal.dropserver.ledger import Ledger
from portal.models import Drop, Endpoint, Notice, Record, Upload, User
from tests.imports.collect.test_template_files import PLAIN
from tests.portal.dropserver.conftest import Running

pytestmark = pytest.mark.usefixtures("transactional_db")
HEADER = "PersonIdentifier,FirstName,LastName,Email\n"
BAD = f"{HEADER}@ann4,=Ann,-Low,bad\n1,Ada,Lovelace,ada@elm.example\n"
FOLDER = "Accounts/AccountImports"


def of_protocols(*names):
    """The arrival protocols that a test is about; without it a test is about all of them."""
    return pytest.mark.parametrize("protocol", names, indirect=True)


class Sender:
    """One account over OpenSSH's sftp, and the portal behind it."""

    def __init__(self, running, account, folder, here, *, by_template):
        self.running, self.account, self.folder, self.here = running, account, folder, here
        self.by_template, self.sent = by_template, 0

    def put(self, name, content):
        (self.here / name).write_text(content)
        self._sftp(f"put {self.here}/{name} {name}")
        if not self.by_template:
            self.sent += 1
            md5 = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
            (self.here / "m").write_text(
                f'<files><file name="{name}" checksum="{md5}" checksumhashtype="md5"/></files>'
            )
            self._sftp(f"put {self.here}/m {self.sent}.done")

    def get(self, name):
        self._sftp(f"get {name} {self.here}/{name}")
        return (self.here / name).read_text()

    def round(self):
        self.running.gate.flush()
        tenant = self.account.tenant_id
        with tenancy.scope(tenant):
            rounds.poll(tenant)
            while job := queue.next_job(tenant):
                pipeline.run(job)
            rounds.poll(tenant)

    def _sftp(self, *commands):
        start = [] if self.by_template else [f"cd {FOLDER}"]
        self.running.sftp(*start, *commands, user=self.account.username)

    def emails(self):
        return set(Record.objects.filter(active=True).values_list("data__Email", flat=True))


@pytest.fixture(params=["manifest", "template", "mirror"])
def protocol(request):
    return request.param


@pytest.fixture
def sender(protocol, settings, tmp_path):
    settings.DROPS_DIR = tmp_path / "drops"
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.TEMPLATE_QUIET_SECONDS = 0
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

    async def make():
        return Ledger()

    with tenancy.everyone("a test looks at all tenants"):
        tenant = provision.tenant("Elm", "elm")
        by_template = protocol != "manifest"
        if by_template:
            endpoint = provision.endpoint(tenant)
            account = provision.template_account(endpoint, "pat", "elm", "tx", "secret")
            settings_of = {"operation": "mirror"} if protocol == "mirror" else {}
            template(account, "users.csv", settings_of)
            folder = settings.DROPS_DIR / str(endpoint.uid) / account.home
        else:
            endpoint = Endpoint.objects.create(tenant=tenant, name="SFTP")
            Drop.objects.create(tenant=tenant, endpoint=endpoint, path=FOLDER, feed="accounts")
            account = provision.account(endpoint, "maria", "secret")
            folder = settings.DROPS_DIR / str(endpoint.uid) / FOLDER
        running = Running(tmp_path, make_gate=make)
        provision.key(account, f"{running.public} laptop")
        try:
            yield Sender(running, account, folder, tmp_path, by_template=by_template)
        finally:
            running.stop()
            running.gate.close()


def template(account, name, settings):
    row = ImportTemplate.objects.create(
        tenant=account.tenant, name="People", feed="accounts", account=account, file_names=[name]
    )
    row.current = TemplateVersion.objects.create(
        tenant=account.tenant, template=row, number=1, spec={**PLAIN, "settings": settings}
    )
    row.save()


def jobs():
    return [(job.file_name, job.state) for job in ImportJob.objects.order_by("pk")]


def test_the_corrected_attachment_is_put_back_under_its_own_name(sender):
    sender.put("users.csv", BAD)
    sender.round()
    if jobs() == [("users.csv", "held")]:  # a mirror with rejected rows asks first
        with tenancy.scope(sender.account.tenant_id):
            actions.release(ImportJob.objects.get(), User.objects.create(email="a@elm.example"))
        sender.round()
    assert jobs() == [("users.csv", "incomplete")]
    attached = sender.get("users.csv.errors.csv")
    sender.put("users.csv.errors.csv", attached.replace("bad", "ann@elm.example"))
    sender.round()
    assert jobs()[1:] == [("users.csv.errors.csv", "complete")]
    assert sender.emails() == {"ann@elm.example", "ada@elm.example"}, "nothing was removed"
    first, second = ImportJob.objects.order_by("pk")
    assert second.corrects == first
    assert f"job {second.uid}" in first.events.last().note
    assert sender.get("users.csv.errors.csv.result.txt").startswith("complete: ")
    names = {path.name for path in sender.folder.iterdir()}
    assert "users.csv.errors.csv" not in names, "it was taken"


def test_an_attachment_that_nobody_has_touched_is_not_taken_for_a_delivery(sender):
    sender.put("users.csv", BAD)
    sender.round()
    for _ in range(3):
        sender.round()
    assert len(jobs()) == 1


@of_protocols("manifest")
def test_a_correction_that_waits_is_neither_overwritten_nor_removed(sender):
    sender.put("users.csv", BAD)
    sender.round()
    attached = sender.get("users.csv.errors.csv").replace("bad", "ann@elm.example")
    (sender.here / "c").write_text(attached)
    sender._sftp(f"put {sender.here}/c users.csv.errors.csv")
    for content, attachment in (
        (BAD, "users.csv.2.errors.csv"),
        (HEADER + "1,A,B,ab@elm.example\n", ""),
    ):
        sender.put("users.csv", content)
        sender.round()
        assert (sender.folder / "users.csv.errors.csv").read_text() == attached
        receipt = json.loads(sender.get("users.csv.result.json"))
        assert (receipt["attachment"] or "") == attachment


@of_protocols("manifest", "template")
def test_the_portals_next_attachment_may_be_corrected_again(sender):
    """The path's last upload was a correction; the file that has the name now is the portal's."""
    for mail in ("one@elm.example", "two@elm.example"):
        sender.put("users.csv", BAD)
        sender.round()
        attached = sender.get("users.csv.errors.csv")
        sender.put("users.csv.errors.csv", attached.replace("bad", mail))
        sender.round()
        assert mail in sender.emails()


@of_protocols("template", "mirror")
def test_a_file_overwritten_before_it_was_taken_is_told_in_the_receipt_and_on_the_page(
    sender,
):
    sender.put("users.csv", f"{HEADER}ow1,First,Delta,ow1@elm.example\n")
    sender.put("users.csv", f"{HEADER}ow2,Second,Delta,ow2@elm.example\n")
    sender.round()
    assert sender.emails() == {"ow2@elm.example"}
    states = dict(Arrival.objects.values_list("state", "name"))
    assert states == {"replaced": "users.csv", "done": "users.csv"}
    assert set(ArrivalFile.objects.values_list("index", flat=True)) == {0}
    receipt = sender.get("users.csv.result.txt")
    assert receipt.startswith("complete: users.csv")
    assert "An earlier upload of users.csv (74 bytes) was overwritten at 20" in receipt
    assert json.loads(sender.get("users.csv.result.json"))["replaced"] == [
        {"name": "users.csv", "size": 74}
    ]
    assert [notice.event for notice in Notice.objects.all()] == ["not_taken"]
    sender.put("users.csv", f"{HEADER}ow2,Second,Delta,ow2@elm.example\n")
    sender.round()
    assert "earlier upload" not in sender.get("users.csv.result.txt"), "that was yesterday"
    assert Arrival.objects.filter(state="replaced").count() == 1


@of_protocols("template")
@pytest.mark.parametrize("way", ["rename", "remove and rename"])
def test_overwriting_by_a_rename_is_no_more_silent(sender, way):
    sender.put("users.csv", f"{HEADER}ow1,First,Delta,ow1@elm.example\n")
    (sender.here / "n").write_text(f"{HEADER}ow2,Second,Delta,ow2@elm.example\n")
    sender._sftp(
        f"put {sender.here}/n users.csv.filepart",
        *(["rm users.csv"] if way != "rename" else []),
        "rename users.csv.filepart users.csv",
    )
    sender.round()
    assert Arrival.objects.filter(state="replaced", name="users.csv").count() == 1


def test_a_file_sent_again_after_it_was_taken_is_not_told_as_replaced(sender):
    for number in range(2):
        sender.put("users.csv", f"{HEADER}{number},A,B,a{number}@elm.example\n")
        sender.round()
    assert not Arrival.objects.filter(state="replaced").exists()
    assert Upload.objects.filter(path__endswith="users.csv", replaced_at=None).count() == 1


@of_protocols("template")
def test_a_resumed_upload_replaces_nothing(sender):
    whole = f"{HEADER}1,A,B,a1@elm.example\n2,C,D,c2@elm.example\n"
    sender.put("users.csv", whole[: len(HEADER) + 24])
    (sender.here / "whole.csv").write_text(whole)
    sender._sftp(f"reput {sender.here}/whole.csv users.csv")
    sender.round()
    assert sender.emails() == {"a1@elm.example", "c2@elm.example"}
    assert not Arrival.objects.filter(state="replaced").exists()
