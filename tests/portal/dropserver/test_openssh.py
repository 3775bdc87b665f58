"""OpenSSH's own client against the real server."""

import os

from portal.dropserver.gate import Ending
from tests.portal.dropserver.conftest import FOLDER


def test_it_takes_a_file_and_gives_it_back(running, tmp_path):
    data = os.urandom(3_000_000)
    (tmp_path / "accounts.csv").write_bytes(data)
    running.sftp(
        "cd Accounts/AccountImports",
        f"put -p {tmp_path}/accounts.csv",
        f"get accounts.csv {tmp_path}/back.csv",
    )
    assert (tmp_path / "back.csv").read_bytes() == data
    assert (running.drop / "accounts.csv").read_bytes() == data
    assert running.gate.endings((*FOLDER, "accounts.csv")) == [Ending.COMPLETE]
    assert running.gate.rings == [(*FOLDER, "accounts.csv")]
