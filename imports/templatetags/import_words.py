"""Template filters of the import pages: `{% load import_words %}`."""

from __future__ import annotations

from django import template

from imports.web import verdicts

register = template.Library()

register.filter("verdict_label", verdicts.label)
register.filter("problem_label", verdicts.problem)
