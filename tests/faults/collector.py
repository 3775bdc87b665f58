"""A collector as a process of its own: `collector.py TENANT ROUNDS`. Says how each round ended."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from imports.collect import rounds  # noqa: E402 - needs Django
from portal import tenancy  # noqa: E402

if __name__ == "__main__":
    tenant = int(sys.argv[1])
    with tenancy.scope(tenant):
        for _ in range(int(sys.argv[2])):
            print(rounds.poll(tenant), flush=True)
