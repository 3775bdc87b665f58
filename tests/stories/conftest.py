"""One product for all stories: `tests/order.py` keeps them in one worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docs.blocks import block
from tests.stories.product import Product, running


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product as a new user starts it, in a folder with a space."""
    *_, command = block("README.md", "Start it").text.splitlines()  # the first line clones it
    with running(command, tmp_path_factory.mktemp("a folder")) as up:
        yield up


@pytest.fixture(scope="session")
def oak(product: Product) -> str:
    """The institution of the README; what its commands have printed."""
    return product.run(block("README.md", "Create your own institution").text)
