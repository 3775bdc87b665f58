"""The ground and the shell: settings, tenancy, lifecycle, record store, drop server, pages."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
