"""Events and records become a file, and the file is delivered."""

from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "exports"
