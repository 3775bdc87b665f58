#!/usr/bin/env python
"""Django's command line; `manage.py up` starts the whole product."""

import os
import sys

# Schema changes are the owner's; everything else runs as the role that row-level security binds.
OWNER_COMMANDS = {"migrate", "makemigrations", "sqlmigrate", "showmigrations", "setup", "test"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ.setdefault("DATABASE_ROLE", "")
    if sys.argv[1:2] == ["up"]:
        # The launcher makes the settings' environment, so it cannot be run with the settings.
        from portal.management.commands.up import Command  # noqa: PLC0415

        Command().run_from_argv(sys.argv)
        return
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
