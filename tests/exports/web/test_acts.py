"""What a data manager does with a delivery from its run's page."""

from __future__ import annotations

from typing import Any

import pytest

from exports.models import Delivery
from portal import tenancy
from tests.browser import seed_exports
from tests.cast import Cast
from tests.exports.web.office import acts, post, words


@pytest.fixture
def rows(cast: Cast) -> dict[str, Any]:
    return seed_exports.everything(cast, runs=0)


def delivery(run: Any) -> Delivery:
    """The run's delivery, fresh."""
    with tenancy.everyone("a test looks"):
        return Delivery.objects.get(run=run)


@pytest.mark.parametrize(
    ("run", "act", "message", "state"),
    [
        ("given_up", "resend", "The file will be sent again in a moment", "ready"),
        ("sent", "resend", "The file will be sent again in a moment", "ready"),
        ("retrying", "resend", "The file will be sent again in a moment", "ready"),
        ("retrying", "cancel", "Cancelled. No further attempt will be made.", "cancelled"),
        ("refused", "acknowledge", "Acknowledged. The incident is closed.", "refused"),
        ("sent", "cancel", "The delivery is delivered already.", "delivered"),
        ("sent", "acknowledge", "This delivery no longer has an open incident.", "delivered"),
    ],
)
def test_a_manager_acts_and_is_told_what_became_of_it(
    cast: Cast, rows: dict[str, Any], run: str, act: str, message: str, state: str
) -> None:
    answer = post(cast, "delivery-act", delivery(rows[run]).uid, act, person="manager")
    assert message in words(answer)
    assert delivery(rows[run]).state == state


def test_an_acknowledged_incident_is_counted_no_more(cast: Cast, rows: dict[str, Any]) -> None:
    answer = post(cast, "delivery-act", delivery(rows["given_up"]).uid, "acknowledge")
    assert "Acknowledged by admin@harbor.example" in words(answer)
    assert "1 open incident" in words(answer)
    assert "2 open incidents" not in words(answer)
    assert acts(cast) == ["delivery.acknowledge"]


def test_a_word_that_is_no_act_is_not_there(cast: Cast, rows: dict[str, Any]) -> None:
    answer = post(cast, "delivery-act", delivery(rows["sent"]).uid, "explode")
    assert answer.status_code == 404
    assert delivery(rows["sent"]).state == "delivered"
