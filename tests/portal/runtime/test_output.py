"""What children say: to the terminal, to a log file of limited size; and what the launcher says."""

import io
import os

from portal.runtime import announce
from portal.runtime.datadir import DataDirectory
from portal.runtime.output import Output, Silence, Terminal


def fed(output: Output, content: bytes) -> None:
    reader, writer = os.pipe()
    output.follow(os.fdopen(reader, "rb"))
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(content)
    output.close()


def test_it_shows_and_logs_each_line_with_its_program(tmp_path):
    shown = io.StringIO()
    fed(Output("web", tmp_path, Terminal(shown)), b"one\r\ntwo \xff\nlast without an end")
    assert shown.getvalue().splitlines() == [
        "     web | one",
        "     web | two \ufffd",
        "     web | last without an end",
    ]
    assert (tmp_path / "web.log").read_text().splitlines()[0] == "one"


def test_it_rotates_the_log_by_size(tmp_path, monkeypatch):
    monkeypatch.setattr("portal.runtime.output.LOG_BYTES", 1000)
    fed(Output("web", tmp_path, Silence()), b"0123456789" * 9 + b"\n" + b"x" * 90 + b"\n" * 30)
    fed(Output("web", tmp_path, Silence()), (b"y" * 90 + b"\n") * 100)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 5
    assert max(sizes) <= 1000


def test_a_terminal_that_has_gone_away_costs_no_log_line(tmp_path):
    gone = io.StringIO()
    gone.close()
    fed(Output("web", tmp_path, Terminal(gone)), b"one\ntwo\n")
    assert (tmp_path / "web.log").read_text() == "one\ntwo\n"


def test_a_line_without_end_does_not_fill_the_memory(tmp_path):
    fed(Output("web", tmp_path, Silence()), b"z" * 200_000 + b"\n")
    assert max(map(len, (tmp_path / "web.log").read_text().splitlines())) == 64 * 1024


def test_it_prints_the_logins_and_the_exact_command_to_send_a_file(tmp_path):
    data = DataDirectory(tmp_path)
    data.demo.write_text(
        '{"accounts": [{"kind": "web", "login": "ann@demo", "password": "p1", "role": "admin"},'
        ' {"kind": "sftp", "login": "demo", "password": "p2"}]}'
    )
    sftp = {"host": "127.0.0.1", "port": 2222, "fingerprint": "SHA256:x"}
    accounts = announce.demo_accounts(data)
    lines = announce.lines({"web": "http://h/", "sftp": sftp, "accounts": accounts}, data)
    assert "Login    ann@demo  password p1  (admin)" in lines
    assert "Send     sftp -P 2222 demo@127.0.0.1" in lines


def test_a_damaged_list_of_demo_accounts_is_no_reason_not_to_start(tmp_path):
    data = DataDirectory(tmp_path)
    data.demo.write_text("{")
    assert announce.demo_accounts(data) == []
