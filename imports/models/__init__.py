"""Arrivals, import jobs and what was found in them."""

from imports.models.arrivals import Arrival, ArrivalFile, Decision, Sighting
from imports.models.drafts import ImportDraft, LearnedMapping
from imports.models.jobs import ImportJob, IssueGroup, JobEvent
from imports.models.lookups import LookupTable, LookupVersion
from imports.models.templates import ImportTemplate, TemplateVersion

__all__ = [
    "Arrival",
    "ArrivalFile",
    "Decision",
    "ImportDraft",
    "ImportJob",
    "ImportTemplate",
    "IssueGroup",
    "JobEvent",
    "LearnedMapping",
    "LookupTable",
    "LookupVersion",
    "Sighting",
    "TemplateVersion",
]
