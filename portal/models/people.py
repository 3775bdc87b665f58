"""People who log in to the pages, and what they may do for which tenant."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from portal.models.tenants import Tenant


class UserManager(BaseUserManager["User"]):
    """The manager of users; the e-mail address is the login and compares without case."""

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> User:
        user = self.model(email=email.strip().lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person. is_operator: hosts the portal and sees every tenant."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    is_operator = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()
    USERNAME_FIELD = "email"

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_without_case")]

    def __str__(self) -> str:
        return self.name or self.email


class Role(models.TextChoices):
    """What a member may do; each role includes the ones below it."""

    ADMIN = "admin", _("Tenant admin")
    MANAGER = "manager", _("Data manager")
    VIEWER = "viewer", _("Viewer")


RANK = {Role.VIEWER: 1, Role.MANAGER: 2, Role.ADMIN: 3}


class Membership(models.Model):
    """A user's role in a tenant. Read before a tenant is in scope, therefore without a policy.

    mail_…: whether the person gets such mails; None: the role's default (`portal/notify/audience`).
    """

    seen_before_tenant = True

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    mail_unmatched = models.BooleanField(null=True, blank=True)
    mail_not_taken = models.BooleanField(null=True, blank=True)
    mail_held = models.BooleanField(null=True, blank=True)
    mail_failed = models.BooleanField(null=True, blank=True)
    mail_completed = models.BooleanField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="one_membership_per_tenant")
        ]

    def allows(self, role: str) -> bool:
        """Whether this membership includes the rights of that role."""
        return RANK[Role(self.role)] >= RANK[Role(role)]
