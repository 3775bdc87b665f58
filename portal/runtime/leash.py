"""Start a program that cannot outlive the process that started it.

Run as a script, never imported by the product: ``leash.py PARENT SIGNAL COMMAND...``. The kernel
sends SIGNAL to the program when PARENT dies, whatever killed it. Forks of the program do not
inherit this, so a Python program is run inside this interpreter with a fork hook that asks for the
same signal in each of them (the children of Celery and gunicorn).

Only the standard library, because it runs before anything else and once for each process.
"""

import ctypes
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def die_with(parent: int, death_signal: signal.Signals) -> None:
    """Ask the kernel for death_signal when the parent process id dies; exit if it is gone."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    # The parent may have died before the call.
    if os.getppid() != parent:
        os._exit(128 + death_signal)


def fork_hooks() -> tuple[Callable[[], None], Callable[[], None]]:
    """The hooks to run before a fork and in its child."""
    forker: list[int] = [0]

    def remember() -> None:
        # The kernel sends the signal when the forking thread ends, so only forks of the main
        # thread are bound.
        is_main = threading.current_thread() is threading.main_thread()
        forker[0] = os.getpid() if is_main else 0

    def bind() -> None:
        if forker[0]:
            die_with(forker[0], signal.SIGKILL)

    return remember, bind


def run_here(arguments: list[str]) -> None:
    """Run ``-m module ...`` or ``script.py ...`` in this interpreter, forks bound."""
    before, in_child = fork_hooks()
    os.register_at_fork(before=before, after_in_child=in_child)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - pathlib costs start-up time
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def main(arguments: list[str]) -> None:
    """Take the parent's id, the signal's number and the command, and become the command."""
    parent, death_signal, command = (
        int(arguments[0]),
        signal.Signals(int(arguments[1])),
        arguments[2:],
    )
    die_with(parent, death_signal)
    if command[0] == sys.executable:
        run_here(command[1:])
    else:
        os.execv(command[0], command)  # noqa: S606 - a list of our own making


if __name__ == "__main__":
    main(sys.argv[1:])
