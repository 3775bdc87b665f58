"""docs/api.md followed literally: its request with curl, its answers word for word."""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.docs.blocks import ROOT, block
from tests.stories.product import Person, Product

GUIDE = "docs/api.md"


@pytest.fixture(scope="module")
def token(product: Product, oak: str) -> str:
    """A token that Ada makes on the page *API tokens*."""
    password = re.search(r"ada@oak.example logs in with the password (\S+)", oak)
    assert password
    ada = Person(product.web, "ada@oak.example", password[1])
    scopes = ["events:write", "events:read"]
    page = ada.send("/tokens/add", "/tokens/", name="The guide", scopes=scopes, lifetime="30")
    shown = re.search(r'id="new-token">([^<]+)<', page)
    assert shown
    return shown[1]


def call(product: Product, token: str, path: str, body: object = None) -> Any:
    """The parsed answer, whatever its status."""
    request = urllib.request.Request(  # noqa: S310 - the product's own address
        product.web.rstrip("/") + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        return json.load(refusal)


def shape(value: Any) -> Any:
    """The names of members and the kinds of values, without the values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__


def test_its_answers_are_the_portals(product: Product, token: str) -> None:
    """In the guide's order: the request, an event that is refused, reading what was sent."""
    request = block(GUIDE, "Events over REST").text
    sent = json.loads(re.findall(r"-d '(.*)'", request, re.DOTALL)[0])
    if shutil.which("curl"):
        request = request.replace("https://portal.example.org/", product.web)
        answer = json.loads(product.run(f"TOKEN={token}\n{request}"))
    else:
        answer = call(product, token, "/api/v1/events/", sent)
    documented = re.findall(r"The answer is `(.*)`", guide())[0]
    assert answer == json.loads(documented)

    refused = json.loads(block(GUIDE, "Sending").text)
    good, bad = ({**sent, "id": uid} for uid in ("a", "b"))
    bad["timestamp"] = "18/05/2026"
    assert call(product, token, "/api/v1/events/", [good, bad]) == refused

    page = json.loads(block(GUIDE, "Reading").text)
    query = re.findall(r"`GET (/api/v1/events/\?\S+)`", guide())[0]
    answer = call(product, token, f"{query}&perPage=1")
    assert shape(answer) == shape(page)
    read = answer["events"][0]
    assert {**read, "receivedAt": 0} == {**page["events"][0], "receivedAt": 0}
    assert call(product, token, query)["pageInfo"]["total"] == 2


def guide() -> str:
    return (ROOT / GUIDE).read_text("utf-8")
