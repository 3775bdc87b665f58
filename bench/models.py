"""The peer's tables: the same twelve columns with the same rules, as a Django project has them."""

from __future__ import annotations

from django.db import models


class Account(models.Model):
    """Who is enrolled."""

    identifier = models.CharField(max_length=250, unique=True)


class Section(models.Model):
    """In what."""

    identifier = models.CharField(max_length=250, unique=True)


class Enrollment(models.Model):
    """The same twelve columns with the same rules, as a Django project would write them."""

    person = models.ForeignKey(Account, on_delete=models.CASCADE)
    section = models.ForeignKey(Section, on_delete=models.CASCADE)
    status = models.CharField(max_length=20)
    first_name = models.CharField(max_length=250, blank=True)
    last_name = models.CharField(max_length=250, blank=True)
    email = models.EmailField(blank=True)
    credits = models.DecimalField(max_digits=4, decimal_places=2, null=True, blank=True)
    grade_option = models.CharField(max_length=250, blank=True)
    registered = models.DateField(null=True, blank=True)
    begins = models.DateField(null=True, blank=True)
    changed = models.DateField(null=True, blank=True)
    grade = models.CharField(max_length=250, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "section"], name="peer_pair")]
