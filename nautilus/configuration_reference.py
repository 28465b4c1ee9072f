"""The configuration written out from its types: as TOML with comments, and as the page of the documentation."""

import json
import math
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from nautilus.config import NodeConfig
from nautilus.engines.registry import engine_entry_points, engine_type

HIDDEN = "(hidden)"
"""What is shown of a secret that is set."""


class Option(msgspec.Struct, frozen=True):
    """One option: dotted section, key, value in force, what it means, and what is allowed."""

    section: str
    key: str
    value: Any
    description: str
    allowed: str


def options(config: NodeConfig) -> Iterator[Option]:
    """Every option of the node and of each installed engine."""
    yield from options_of(config, "")
    for name in engine_entry_points():
        yield from options_of(config.engines.get(name) or engine_type(name).config_type(), f"engines.{name}")


def options_of(section: msgspec.Struct, prefix: str) -> Iterator[Option]:
    """The options of one section, and of the sections within it."""
    hints = get_type_hints(type(section), include_extras=True)
    nested = []
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        if isinstance(value, msgspec.Struct):
            nested.append((field.name, value))
        elif not (prefix == "" and field.name == "engines"):
            shown = HIDDEN if value and _is_secret(hints[field.name]) else value
            yield Option(prefix, field.name, shown, *_meaning(hints[field.name]))
    for name, value in nested:
        yield from options_of(value, f"{prefix}.{name}" if prefix else name)


def _meaning(hint: Any) -> tuple[str, str]:
    metas = list(_metas(hint))
    description = next((meta.description for meta in metas if meta.description), "")
    signs = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"), ("pattern", "matches"))
    limits = [
        f"{sign} {_limit(getattr(meta, name))}"
        for meta in metas
        for name, sign in signs
        if getattr(meta, name) is not None
    ]
    kind = msgspec.json.schema(hint)
    if "enum" in kind:
        limits.append("one of " + ", ".join(json.dumps(value) for value in kind["enum"]))
    return description, ", ".join(limits)


def _limit(value: Any) -> Any:
    """0 and 0.0 are equal, so which of them an annotation holds depends on which was written down first."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_secret(hint: Any) -> bool:
    return any((meta.extra or {}).get("secret") for meta in _metas(hint))


def _metas(hint: Any) -> Iterator[msgspec.Meta]:
    """The annotations of a type, outermost first; inside of it only where it says "or None"."""
    if get_origin(hint) is Annotated:
        hint, *metas = get_args(hint)
        yield from reversed([meta for meta in metas if isinstance(meta, msgspec.Meta)])
    if get_origin(hint) in (Union, UnionType):
        for argument in get_args(hint):
            yield from _metas(argument)


def toml_value(value: Any) -> str:
    """A value in TOML's syntax. What is None stands for its default and is left out of tables.

    >>> toml_value({"name": "a", "limit": None, "weights": (1, 0.5), "on": True})
    '{"name" = "a", "weights" = [1, 0.5], "on" = true}'
    """
    plain = msgspec.to_builtins(value)
    if isinstance(plain, Mapping):
        items = (f"{toml_value(key)} = {toml_value(item)}" for key, item in plain.items() if item is not None)
        return "{" + ", ".join(items) + "}"
    if isinstance(plain, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in plain) + "]"
    if isinstance(plain, float) and not math.isfinite(plain):
        return str(plain)
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def as_toml(config: NodeConfig) -> str:
    """The configuration as a TOML file in which every option stands with its meaning."""
    lines = ["# Every option of Nautilus with its default. `nautilus config show` prints this file.", ""]
    section = None
    for option in options(config):
        if option.section != (section or ""):
            section = option.section
            lines += ["", f"[{section}]"]
        lines.append(f"# {option.description}{f' ({option.allowed})' if option.allowed else ''}")
        unset = option.value is None
        lines.append(f"{'# ' if unset else ''}{option.key} = {'' if unset else toml_value(option.value)}".rstrip())
    return "\n".join(lines) + "\n"


def as_markdown(config: NodeConfig) -> str:
    """The configuration as a page with one table a section."""
    lines = [
        "# Configuration",
        "",
        "Made from the types by `make docs`; do not edit. Built-in defaults are overruled by a TOML file (`--config`),",
        "that by environment variables (`NAUTILUS__SECTION__KEY`), those by command-line options.",
    ]
    section = None
    for option in options(config):
        if option.section != section:
            section = option.section
            lines += [
                "",
                f"## {section or 'node'}",
                "",
                "| option | default | allowed | meaning |",
                "| --- | --- | --- | --- |",
            ]
        allowed = option.allowed.replace("|", "\\|")
        default = "" if option.value is None else f"`{toml_value(option.value)}`".replace("|", "\\|")
        lines.append(f"| `{option.key}` | {default} | {allowed} | {option.description} |")
    return "\n".join(lines) + "\n"
