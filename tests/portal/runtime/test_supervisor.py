"""The supervisor: order, restarts, giving up, stopping; and a death that leaves nobody behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from portal.runtime import supervisor as module
from portal.runtime.output import Silence
from portal.runtime.program import ROOT, Program, Stop
from portal.runtime.stopping import SignalWatch, StopRequested
from portal.runtime.supervisor import ProgramFailed, Supervisor

SLEEPER = "import signal; print('up', flush=True); signal.pause()"
DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\n"
    "while True: signal.pause()"
)
FORKER = """
import os, signal, sys, time
for name in sys.argv[1:]:
    if os.fork() == 0:
        # Written whole, so that a reader never finds half a number.
        open(name + '.new', 'w').write(str(os.getpid()))
        os.rename(name + '.new', name)
        while True:
            signal.pause()
while True:
    signal.pause()
"""


def script(tmp_path: Path, text: str, name: str = "program") -> Path:
    path = tmp_path / f"{name}.py"
    path.write_text(textwrap.dedent(text))
    return path


def program(tmp_path: Path, text: str, name: str = "program", **more: object) -> Program:
    command = (sys.executable, str(script(tmp_path, text, name)))
    return Program(name, command, dict(os.environ), **more)  # type: ignore[arg-type]


def until(condition, seconds: float = 20.0) -> bool:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def supervisor(tmp_path):
    with SignalWatch() as signals:
        supervisor = Supervisor(tmp_path / "log", Silence(), signals)
        yield supervisor
        supervisor.stop()


def log(supervisor: Supervisor, name: str) -> str:
    path = supervisor.log_dir / f"{name}.log"
    return path.read_text() if path.exists() else ""


def said_up(supervisor: Supervisor, name: str = "program"):  # type: ignore[no-untyped-def]
    return lambda: "up" in log(supervisor, name)


def test_it_waits_until_a_program_is_ready(supervisor, tmp_path):
    mark = tmp_path / "mark"
    text = f"import pathlib, time; time.sleep(.2); pathlib.Path({str(mark)!r}).touch()\n{SLEEPER}"
    supervisor.start(program(tmp_path, text, is_ready=mark.exists))
    assert mark.exists()


def test_it_refuses_a_program_that_ends_before_it_is_ready_and_shows_its_words(
    supervisor, tmp_path
):
    text = "import sys; sys.exit('no space left on the moon')"
    with pytest.raises(ProgramFailed, match=r"(?s)exit status 1.*no space left on the moon"):
        supervisor.start(program(tmp_path, text, is_ready=lambda: False))


def test_it_refuses_a_program_that_does_not_answer_in_time(supervisor, tmp_path):
    silent = program(tmp_path, SLEEPER, is_ready=lambda: False, ready_within=0.3)
    with pytest.raises(ProgramFailed, match="did not answer within"):
        supervisor.start(silent)


def test_it_refuses_a_program_that_does_not_exist(supervisor):
    with pytest.raises(ProgramFailed, match="ended while starting"):
        supervisor.start(Program("gone", ("/no/such/program",), {}, is_ready=lambda: False))


def test_it_refuses_any_program_that_dies_while_all_are_started(supervisor, tmp_path):
    supervisor.restarts = False
    supervisor.add(program(tmp_path, "import sys; sys.exit('cannot import')"))
    with pytest.raises(ProgramFailed, match=r"(?s)ended while starting.*cannot import"):
        supervisor.wait_until(lambda: False, seconds=30)


@pytest.mark.faults
def test_it_starts_a_killed_program_again(supervisor, tmp_path):
    supervisor.start(program(tmp_path, SLEEPER))
    first = supervisor.pids()["program"]
    os.kill(first, signal.SIGKILL)
    assert supervisor.wait_until(
        lambda: supervisor.pids().get("program", first) != first, seconds=20
    )
    assert "killed by SIGKILL" in log(supervisor, "up")


@pytest.mark.faults
def test_it_gives_up_on_a_program_that_keeps_dying(supervisor, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RESTART_DELAYS", (0.01, 0.02))
    supervisor.add(program(tmp_path, "import sys; sys.exit(7)"))
    with pytest.raises(ProgramFailed, match=r"died 3 times in a row \(last: exit status 7\)"):
        supervisor.wait_until(lambda: False, seconds=30)


def test_it_stops_in_reverse_order(supervisor, tmp_path):
    for name in ("first", "second", "third"):
        supervisor.start(program(tmp_path, SLEEPER, name))
    for name in ("first", "second", "third"):
        assert supervisor.wait_until(said_up(supervisor, name), seconds=20)
    supervisor.stop()
    order = [line.split()[0] for line in log(supervisor, "up").splitlines() if "stopped" in line]
    assert order == ["third", "second", "first"]


def test_it_lets_a_program_finish_its_work(supervisor, tmp_path):
    text = """
    import signal, sys, time
    def finish(*_):
        time.sleep(0.5)
        print('finished', flush=True)
        sys.exit(0)
    signal.signal(signal.SIGTERM, finish)
    print('up', flush=True)
    signal.pause()
    """
    supervisor.start(program(tmp_path, text))
    assert supervisor.wait_until(said_up(supervisor), seconds=20)
    supervisor.stop()
    assert "finished" in log(supervisor, "program")


@pytest.mark.faults
def test_it_kills_a_program_that_does_not_stop_in_time(supervisor, tmp_path):
    supervisor.start(program(tmp_path, DEAF, stops=(Stop(signal.SIGTERM, 0.3),)))
    assert supervisor.wait_until(said_up(supervisor), seconds=20)
    pid = supervisor.pids()["program"]
    supervisor.stop()
    assert not psutil.pid_exists(pid)
    assert "did not stop in time: killed" in log(supervisor, "up")


@pytest.mark.faults
def test_a_second_request_to_stop_cuts_the_waiting_short(supervisor, tmp_path):
    supervisor.start(program(tmp_path, DEAF, stops=(Stop(signal.SIGTERM, 600.0),)))
    assert supervisor.wait_until(said_up(supervisor), seconds=20)
    nudge = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -INT {os.getpid()}"])
    supervisor.stop()
    assert nudge.wait() == 0


@pytest.mark.faults
def test_a_server_is_given_its_time_even_in_a_hurry(supervisor, tmp_path):
    text = """
    import signal, sys, time
    def finish(*_):
        time.sleep(1)
        print('finished', flush=True)
        sys.exit(0)
    signal.signal(signal.SIGTERM, finish)
    print('up', flush=True)
    signal.pause()
    """
    supervisor.start(program(tmp_path, text, least_seconds=60.0, stops=(Stop(signal.SIGTERM, 90),)))
    assert supervisor.wait_until(said_up(supervisor), seconds=20)
    nudge = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -INT {os.getpid()}"])
    supervisor.stop()
    assert nudge.wait() == 0
    assert "finished" in log(supervisor, "program")


def test_a_request_to_stop_interrupts_any_waiting(supervisor, tmp_path):
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(StopRequested):
        supervisor.wait_until(lambda: False, seconds=60)


def test_it_runs_a_program_to_its_end(supervisor, tmp_path):
    assert supervisor.run(program(tmp_path, "import sys; print('done'); sys.exit(3)")) == 3
    assert "done" in log(supervisor, "program")


@pytest.mark.faults
def test_killing_a_program_kills_its_forks(supervisor, tmp_path):
    names = [tmp_path / "one", tmp_path / "two"]
    forker = script(tmp_path, FORKER)
    command = (sys.executable, str(forker), *map(str, names))
    supervisor.start(Program("forker", command, dict(os.environ)))
    assert supervisor.wait_until(lambda: all(n.exists() for n in names), seconds=20)
    forks = [int(name.read_text()) for name in names]
    # Only the one process: it is the kernel that has to end the others, not the process group.
    os.kill(supervisor.pids()["forker"], signal.SIGKILL)
    assert until(lambda: not any(psutil.pid_exists(fork) for fork in forks))


LAUNCHER = """
import os, sys
from pathlib import Path
from portal.runtime.output import Silence
from portal.runtime.program import Program
from portal.runtime.stopping import SignalWatch
from portal.runtime.supervisor import Supervisor

with SignalWatch() as signals:
    supervisor = Supervisor(Path(sys.argv[1]), Silence(), signals)
    supervisor.start(Program("forker", (sys.executable, *sys.argv[2:]), dict(os.environ)))
    supervisor.start(Program("native", ("/bin/sleep", "600"), dict(os.environ)))
    supervisor.serve()
    supervisor.stop()
"""


@pytest.mark.faults
def test_kill_9_of_the_launcher_leaves_no_process(tmp_path):
    name = tmp_path / "fork"
    forker = script(tmp_path, FORKER, "forker")
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path / "log"), str(forker), str(name)], cwd=ROOT
    )
    children: list[psutil.Process] = []

    def all_there() -> bool:
        forked = name.exists()  # before the look, or the look may miss what forked meanwhile
        children[:] = psutil.Process(launcher.pid).children(recursive=True)
        return forked and any("sleep" in p.name() for p in children)

    try:
        assert until(all_there)
        assert len(children) == 3
    finally:
        launcher.kill()
        launcher.wait()
    _, left = psutil.wait_procs(children, timeout=20)
    assert left == []
