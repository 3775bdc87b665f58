"""The violated constraint is known by the name that the database reports."""

import pytest
from django.db import IntegrityError, transaction

from portal import provision
from portal.constraints import violated
from portal.models import Tenant

pytestmark = pytest.mark.django_db


def test_the_database_names_the_constraint():
    tenant = provision.tenant("Harbor State University", "harbor")
    tenant.pk = None
    tenant.uid = "7c9e6679-7425-40de-944b-e07fc1f90000"
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        tenant.save()
    assert violated(caught.value).startswith("portal_tenant_slug")


def test_a_column_that_must_not_be_null_has_no_name():
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Tenant.objects.create(name=None, slug="harbor")
    assert violated(caught.value) == ""
    assert violated(IntegrityError("without a cause")) == ""
