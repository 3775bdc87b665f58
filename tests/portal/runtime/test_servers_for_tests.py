"""The ground of all other tests: a real database, used as the role that policies bind."""

import pytest
import redis
from django.conf import settings
from django.db import connection

from portal.models import Tenant


@pytest.mark.django_db
def test_it_acts_as_the_role_that_row_level_security_binds():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == ("causeway_app", False, False)


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("attempt", [1, 2])
def test_it_clears_what_a_transactional_test_has_committed(attempt):
    assert not Tenant.objects.exists()
    Tenant.objects.create(name="Left behind", slug="left-behind")


def test_it_has_a_real_broker(servers):
    url = settings.REDIS_URL.replace("redis+socket://", "unix://")
    with redis.Redis.from_url(url) as client:
        assert client.info("server")["server_name"] == "valkey"
