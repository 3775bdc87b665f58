"""A template as a YAML file, to be kept, sent and imported elsewhere. Pure.

Foreign text: safe types only, at most 256 KiB, no anchors or aliases (a small file could stand
for a huge one), no tags, no deep nesting, no key twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from imports.mapping.definitions import BadSpec, Spec
from imports.mapping.faults import Faults
from imports.mapping.parsing import as_json, parse

MOST_BYTES = 256 << 10
_DEEPEST = 20
_MOST_FILES = 100
_KEYS = ("name", "feed", "file_names", "spec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a file says. feed: name of a feed of the catalog, not checked here."""

    name: str
    feed: str
    file_names: tuple[str, ...]
    spec: Spec


def dump_yaml(spec: Spec, name: str, feed: str, file_names: Sequence[str]) -> str:
    """The template as YAML that `load_yaml` takes."""
    written = {"name": name, "feed": feed, "file_names": list(file_names), "spec": as_json(spec)}
    return yaml.dump(
        written, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100, indent=2
    )


def load_yaml(text: str) -> Exported:
    """The template in a YAML file. Raises BadSpec with every fault."""
    document = _document(text)
    faults = Faults()
    given = faults.keys(document, "template", _KEYS, ("name", "feed", "spec"))
    name = faults.text(given.get("name", "x"), "name", least=1)
    feed = faults.text(given.get("feed", "x"), "feed", least=1)
    files = faults.listed(
        given.get("file_names", ()),
        "file_names",
        _MOST_FILES,
        lambda item, path: faults.text(item, path, 255, least=1),
    )
    spec, told = _spec(faults.mapping(given.get("spec", {}), "spec"))
    if spec is None or faults.count:
        raise BadSpec([*faults.all(), *told])
    return Exported(name=name, feed=feed, file_names=files, spec=spec)


def _spec(data: dict[str, object]) -> tuple[Spec | None, list[str]]:
    try:
        return parse(data), []
    except BadSpec as bad:
        return None, bad.faults


class _Dumper(yaml.SafeDumper):
    """Writes a list or mapping that occurs twice in full: what is read may have no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key written twice, of which PyYAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        for key, times in Counter(str(key.value) for key, _ in node.value).items():
            if times > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f'the key "{key[:60]}" is written {times} times', node.start_mark
                )
        return super().construct_mapping(node, deep)


def _document(text: str) -> object:
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise BadSpec([f"file: found more than {MOST_BYTES:,} bytes, expected at most as many"])
    try:
        _refuse_bombs(text)
        # _Loader is a SafeLoader, which the linter cannot see.
        return yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark
        where = f"line {mark.line + 1}" if mark else "file"
        raise BadSpec([f"{where}: found {fault.problem}, expected valid YAML"]) from None
    except (yaml.YAMLError, ValueError, OverflowError) as fault:
        reason = str(fault).splitlines()[0] if str(fault) else "a value out of range"
        raise BadSpec([f"file: found {reason[:200]}, expected valid YAML"]) from None


def _refuse_bombs(text: str) -> None:
    """Raise BadSpec for what could grow or nest, before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if getattr(event, "anchor", None) is not None:
            raise BadSpec([f"line {line}: found an anchor or alias, expected the full text"])
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise BadSpec([f"line {line}: found the tag {tag[:60]}, expected no tags"])
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise BadSpec([f"line {line}: found {depth} levels, expected at most {_DEEPEST}"])
