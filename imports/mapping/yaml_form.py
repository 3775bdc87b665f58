"""A template as a YAML file, to be kept, sent and imported elsewhere. Pure.

Foreign text: safe types only, at most 256 KiB, no anchors or aliases (a small file could expand
to a huge one), no tags, no deep nesting, no key twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from imports.mapping.definitions import BadSpec, Spec
from imports.mapping.parsing import as_json, parse
from imports.mapping.strict_reading import StrictReader
from portal.faults import Fault

MOST_BYTES = 256 << 10
_DEEPEST = 20
_MOST_FILES = 100
_KEYS = ("name", "feed", "file_names", "spec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A template read from a file. feed: name of a feed, not compared with the catalog here."""

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
    reader = StrictReader()
    given = reader.keys(document, ("template",), _KEYS, ("name", "feed", "spec"))
    name = reader.text(given.get("name", "x"), ("name",), least=1)
    feed = reader.text(given.get("feed", "x"), ("feed",), least=1)
    files = reader.items(
        given.get("file_names", ()),
        ("file_names",),
        _MOST_FILES,
        lambda item, path: reader.text(item, path, 255, least=1),
    )
    try:
        spec = parse(reader.mapping(given.get("spec", {}), ("spec",)))
    except BadSpec as bad:
        raise BadSpec(*reader.faults, *bad.faults) from bad
    if reader.faults:
        raise BadSpec(*reader.faults)
    return Exported(name=name, feed=feed, file_names=files, spec=spec)


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
        message = "found more than %(most)s bytes, expected at most as many"
        raise BadSpec(Fault(("file",), "too_large", message, {"most": f"{MOST_BYTES:,}"}))
    try:
        _refuse_bombs(text)
        # _Loader is a SafeLoader, which the linter cannot see.
        return yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark
        where = f"line {mark.line + 1}" if mark else "file"
        raise _invalid(where, str(fault.problem)) from None
    except (yaml.YAMLError, ValueError, OverflowError) as fault:
        reason = str(fault).splitlines()[0] if str(fault) else "a value out of range"
        raise _invalid("file", reason[:200]) from None


def _invalid(where: str, problem: str) -> BadSpec:
    message = "found %(problem)s, expected valid YAML"
    return BadSpec(Fault((where,), "invalid_yaml", message, {"problem": problem}))


def _refuse_bombs(text: str) -> None:
    """Raise BadSpec for what could grow or nest, before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = (f"line {event.start_mark.line + 1 if event.start_mark else 0}",)
        if getattr(event, "anchor", None) is not None:
            message = "found an anchor or alias, expected the full text"
            raise BadSpec(Fault(where, "yaml_alias", message))
        tag = getattr(event, "tag", None)
        if tag is not None:
            message = "found the tag %(tag)s, expected no tags"
            raise BadSpec(Fault(where, "yaml_tag", message, {"tag": tag[:60]}))
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            message = "found %(depth)s levels, expected at most %(most)s"
            params = {"depth": depth, "most": _DEEPEST}
            raise BadSpec(Fault(where, "yaml_depth", message, params))
