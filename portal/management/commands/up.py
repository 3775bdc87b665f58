"""`manage.py up`: the whole product with one command."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.runtime.datadir import DirectoryRefused
from portal.runtime.keys import KeyLost
from portal.runtime.launch import Options, launch
from portal.runtime.ports import AddressRefused
from portal.runtime.program import ROOT
from portal.runtime.sockets import UnsafeSocketDirectory
from portal.runtime.supervisor import ProgramFailed

REFUSALS = (AddressRefused, DirectoryRefused, KeyLost, ProgramFailed, UnsafeSocketDirectory)


class Command(BaseCommand):
    """Start database, broker, web, worker, beat and drop server; Ctrl-C stops them."""

    help = (
        "Start the whole product on this machine. DATABASE_URL and REDIS_URL in the environment "
        "each replace an embedded server."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Options, as in the README."""
        parser.add_argument(
            "--data", metavar="DIR", type=Path, default=ROOT / "var",
            help="the data directory (default: var in the project)",
        )  # fmt: skip
        parser.add_argument(
            "--http", metavar="HOST:PORT", default="127.0.0.1:8000",
            help="address of the web pages; port 0 takes a free one (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument(
            "--sftp", metavar="HOST:PORT", default="127.0.0.1:2222",
            help="address of the SFTP server; port 0 takes a free one (default: %(default)s)",
        )  # fmt: skip
        parser.add_argument(
            "--no-demo",
            action="store_true",
            help="do not create the demo institution on the first run",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run until a request to stop. Raises CommandError."""
        launch_options = Options(
            data=options["data"],
            http=options["http"],
            sftp=options["sftp"],
            demo=not options["no_demo"],
            verbose=options["verbosity"] > 1,
        )
        try:
            launch(launch_options)
        except REFUSALS as error:
            raise CommandError(str(error)) from error
