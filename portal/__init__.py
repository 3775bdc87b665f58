"""The ground and the shell: settings, tenancy, lifecycle, record store, drop server, pages."""

from portal.celery import app as celery_app

__version__ = "0.1.0"
__all__ = ["__version__", "celery_app"]
