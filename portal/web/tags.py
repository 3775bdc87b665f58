"""Template tags and filters of the pages, loaded everywhere."""

from django import template

register = template.Library()
