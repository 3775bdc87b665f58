"""The manifest (`*.done`): reading it, marking it, naming its states. Pure (seed 001, Step 3).

A manifest is a small XML document that names the data files of one delivery. The rules follow the
seed to the letter; where the seed is silent, design.md section 6 ("Manifest decisions") decides.
"""

from __future__ import annotations

from imports.manifest.identity import identity
from imports.manifest.marking import annotate
from imports.manifest.reading import MOST_READ, parse
from imports.manifest.schema import InvalidSchema, Manifest, Problem, Reference
from imports.manifest.states import free_name, is_manifest, parse_state, state_name
from portal.dropserver.rights import ManifestState

__all__ = [
    "MOST_READ",
    "InvalidSchema",
    "Manifest",
    "ManifestState",
    "Problem",
    "Reference",
    "annotate",
    "free_name",
    "identity",
    "is_manifest",
    "parse",
    "parse_state",
    "state_name",
]
