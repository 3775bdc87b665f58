"""A file arrives and becomes records."""

from django.apps import AppConfig


class ImportsConfig(AppConfig):
    name = "imports"
