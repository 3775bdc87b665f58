"""The user that PostgreSQL runs as. It refuses to run as root, so root has to change the user."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from portal.runtime.supervisor import ProgramFailed

IN_USER_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
FALLBACK_USER = "nobody"


@dataclass(frozen=True)
class Identity:
    """A command prefix that changes the user, and the owner that its files need outside."""

    prefix: tuple[str, ...]
    uid: int

    @property
    def is_other(self) -> bool:
        """Whether its files need another owner."""
        return self.uid != os.geteuid()

    def give(self, path: Path) -> None:
        """Make this user the owner of a path."""
        if self.is_other:
            os.chown(path, self.uid, pwd.getpwuid(self.uid).pw_gid)


def has_user_namespaces() -> bool:
    """Whether root may make a user namespace here (a container's default profile refuses)."""
    try:
        probe = subprocess.run([*IN_USER_NAMESPACE, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return probe.returncode == 0


def another_user(uid: int) -> Identity:
    """Run as a user id, by setpriv."""
    gid = pwd.getpwuid(uid).pw_gid
    ids = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
    return Identity(("setpriv", *ids, "--"), uid)


def for_postgres(cluster: Path) -> Identity:
    """Choose for a cluster directory that may exist already.

    An ordinary user runs it directly. Root keeps the owner of an existing cluster; else it runs in
    a user namespace, where the files stay root's; else as nobody. Raises ProgramFailed when the
    cluster belongs to somebody else.
    """
    uid = os.geteuid()
    owner = cluster.stat().st_uid if cluster.exists() else uid
    if uid != 0 and owner != uid:
        raise ProgramFailed(
            f"{cluster} belongs to user id {owner}, and you are {uid}. Start the "
            "launcher as the user who created the data directory, or choose another "
            "one with --data."
        )
    if uid != 0:
        return Identity((), uid)
    if owner != 0:
        return another_user(owner)
    if has_user_namespaces():
        return Identity(IN_USER_NAMESPACE, uid)
    return another_user(pwd.getpwnam(FALLBACK_USER).pw_uid)
