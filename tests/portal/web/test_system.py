"""The operator's page: the processes, the queue, the institutions and the version."""

from __future__ import annotations

from django.urls import reverse

import portal
from portal import beats
from tests.cast import Cast, as_person


def test_it_shows_the_processes_the_institutions_and_the_version(cast: Cast) -> None:
    beats.beat("sweep")
    answer = as_person(cast, "operator").get(reverse("system"))
    assert answer.status_code == 200
    text = answer.content.decode()
    for words in ("sweep", cast.home.name, cast.abroad.name, f"Version {portal.__version__}"):
        assert words in text


def test_the_version_is_one_that_a_release_can_have() -> None:
    parts = portal.__version__.split(".")
    assert len(parts) == 3
    assert all(part.isdigit() for part in parts)
