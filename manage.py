#!/usr/bin/env python
"""Django's command line; `manage.py up` starts the whole product."""

import json
import os
import sys
from pathlib import Path

# Only the owner changes the schema; all else runs as the role that row-level security applies to.
OWNER_COMMANDS = {"migrate", "makemigrations", "sqlmigrate", "showmigrations", "setup", "test"}


# These start servers of their own or need none.
OWN_ENVIRONMENT = {"up", "test", "makemigrations"}


def join_running_product() -> None:
    """Use the environment of a product that `up` runs, unless a database is named already."""
    if os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE"):
        return
    data = Path(os.environ.get("DATA_DIR") or Path(__file__).resolve().parent / "var")
    try:
        running = json.loads((data / "up.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    for name, value in running.get("environment", {}).items():
        os.environ.setdefault(name, value)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if len(sys.argv) > 1 and sys.argv[1] not in OWN_ENVIRONMENT:
        join_running_product()
    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ.setdefault("DATABASE_ROLE", "")
    if sys.argv[1:2] == ["up"]:
        # The launcher makes the environment of the settings, so it runs without them.
        from portal.management.commands.up import Command  # noqa: PLC0415

        Command().run_from_argv(sys.argv)
        return
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
