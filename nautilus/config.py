"""Typed configuration: built-in defaults < TOML file < environment < command line.

Every option can be given in the environment as NAUTILUS__SECTION__KEY. A wrong key, type or value is an error that
names where it came from, the key, and what is allowed.
"""

import copy
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from nautilus.bus.edges.settings import EdgesConfig
from nautilus.errors import ConfigError, Invalid, NautilusError
from nautilus.ownership import OwnershipConfig
from nautilus.store.postgres.settings import PostgresSettings

ENVIRONMENT_PREFIX = "NAUTILUS__"
_SUBSCRIPT = re.compile(r"\[[^\]]*\]")
_WANTS_TEXT = re.compile(r"Expected `[^`]*\b(str|decimal)\b[^`]*`, got")


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class HttpConfig(_Section, frozen=True, kw_only=True):
    """The web server."""

    host: Annotated[str, Meta(min_length=1, description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8001
    max_body_bytes: Annotated[int, Meta(ge=1024, le=1 << 30, description="Largest request body accepted.")] = 8_388_608
    allowed_hosts: Annotated[
        tuple[str, ...], Meta(description="Values of the Host header accepted; others get 403.")
    ] = ("localhost", "127.0.0.1", "[::1]")
    allowed_origins: Annotated[
        tuple[str, ...], Meta(description="Web origins, beside our own, that may open WebSockets.")
    ] = ()


class StoreConfig(_Section, frozen=True, kw_only=True):
    """Where things are kept."""

    backend: Annotated[
        Literal["embedded", "postgres"],
        Meta(
            description='"embedded": all of it in the folder; "postgres": in PostgreSQL, and the folder holds what is '
            "on its way there."
        ),
    ] = "embedded"
    directory: Annotated[
        str,
        Meta(min_length=1, description='Folder of the journal, the state and the catalog; ":memory:" keeps nothing.'),
    ] = "~/.nautilus"
    sync: Annotated[
        Literal["group", "none"],
        Meta(
            description='"group": an order leaves only after its record is on disk (fdatasync); "none": after write().'
        ),
    ] = "group"
    snapshot_seconds: Annotated[
        float, Meta(ge=1, le=86_400, description="How often engines save their state, so that recovery is short.")
    ] = 60.0
    journal_retention: Annotated[
        Literal["all", "recovery"],
        Meta(description='"all": every record is kept; "recovery": those are removed that every snapshot holds.'),
    ] = "all"
    catalog_days: Annotated[
        int, Meta(ge=0, le=36_500, description="Days of market data that are kept; 0 keeps all.")
    ] = 0
    postgres: PostgresSettings = PostgresSettings()


class LogConfig(_Section, frozen=True, kw_only=True):
    """What is logged, and how."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least severe level that is shown.")
    ] = "info"
    format: Annotated[
        Literal["auto", "console", "json"], Meta(description='"auto": readable on a terminal, JSON lines elsewhere.')
    ] = "auto"


class AccelConfig(_Section, frozen=True, kw_only=True):
    """Threads and kernels."""

    threads: Annotated[int, Meta(ge=1, le=256, description="Threads for work that would block the loop.")] = 2
    compile_at_start: Annotated[
        bool, Meta(description="Compile all kernels before the node is ready, rather than at their first use.")
    ] = True
    calibration: Annotated[
        str,
        Meta(
            description='File of `nautilus accel calibrate`, by which work is routed; empty is its usual place, "none" '
            "leaves every kernel to its own default."
        ),
    ] = ""
    cache_bytes: Annotated[
        int, Meta(ge=0, le=1 << 40, description="Most bytes of freed memory that MLX may keep for later.")
    ] = 268_435_456
    memory_bytes: Annotated[
        int, Meta(ge=0, le=1 << 44, description="Most bytes that MLX should use; 0 leaves it to MLX.")
    ] = 0
    serve_requests: Annotated[
        bool, Meta(description="Answer compute requests on the bus, of this process and, over the edge, of others.")
    ] = True


class NodeConfig(_Section, frozen=True, kw_only=True):
    """The whole configuration. `engines` maps names to sections, each typed by its engine; the rest have defaults."""

    name: Annotated[
        str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$", description="Name of this node, in logs and messages.")
    ] = "nautilus"
    http: HttpConfig = HttpConfig()
    store: StoreConfig = StoreConfig()
    log: LogConfig = LogConfig()
    accel: AccelConfig = AccelConfig()
    edges: EdgesConfig = EdgesConfig()
    ownership: OwnershipConfig = OwnershipConfig()
    load: Annotated[
        tuple[str, ...],
        Meta(description="Engines to load, so that others run in other processes; none: all that are not disabled."),
    ] = ()
    engines: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.ownership.accounts and not self.edges.enabled:
            raise Invalid("ownership.accounts", "needs edges.enabled: the leases are kept by the server edges.cache")


def load_config(
    path: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> NodeConfig:
    """Read a configuration. `overrides` maps dotted keys ("http.port") to values, as the command line gives them.

    Raises ConfigError.

    >>> load_config(overrides={"http.port": 9000}, environment={}).http.port
    9000
    """
    raw: dict[str, Any] = {}
    origins: dict[str, str] = {}
    texts: dict[str, str] = {}
    if path is not None:
        raw = _read_toml(Path(path))
        _remember(raw, "", str(path), origins)
    variables = os.environ if environment is None else environment
    for variable, text in sorted(variables.items()):
        if variable.startswith(ENVIRONMENT_PREFIX):
            key = variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            _put(raw, key, _parse(text), variable)
            origins[key] = variable
            texts[key] = text
    for key, value in (overrides or {}).items():
        _put(raw, key, value, "command line")
        origins[key] = "command line"
    sections = raw.pop("engines", {})
    if not isinstance(sections, dict):
        raise ConfigError(_origin(origins, "engines"), "engines", "must be a table with one section for each engine")
    config = _convert(raw, NodeConfig, "", origins, texts)
    if config.load:
        _check_engines(config.load, _origin(origins, "load"))
    return msgspec.structs.replace(config, engines=_engine_sections(sections, origins, texts))


def derive_config(config: NodeConfig, overrides: Mapping[str, Any]) -> NodeConfig:
    """The same configuration with other values at some dotted keys. Raises ConfigError."""
    raw: dict[str, Any] = msgspec.to_builtins(config)
    for key, value in overrides.items():
        _put(raw, key, value, "override")
    sections = raw.pop("engines")
    return msgspec.structs.replace(_convert(raw, NodeConfig, "", {}, {}), engines=_engine_sections(sections, {}, {}))


def _engine_sections(sections: Mapping[str, Any], origins: Mapping[str, str], texts: dict[str, str]) -> dict[str, Any]:
    if not sections:
        return {}
    from nautilus.engines.registry import engine_entry_points, engine_type

    known = engine_entry_points()
    converted = {}
    for name, section in sections.items():
        key = f"engines.{name}"
        if name not in known:
            raise ConfigError(_origin(origins, key), key, f"no such engine; there are {', '.join(known)}")
        converted[name] = _convert(section, engine_type(name).config_type, key, origins, texts)
    return converted


def _check_engines(names: tuple[str, ...], origin: str) -> None:
    from nautilus.engines.registry import engine_entry_points

    known = engine_entry_points()
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(origin, "load", f"no such engine: {', '.join(unknown)}; there are {', '.join(known)}")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path), "file", f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(str(path), "file", f"is not TOML: {error}") from error


def _parse(text: str) -> Any:
    """A value from the environment: TOML syntax where it is that (numbers, booleans, lists), else the text itself."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _put(raw: dict[str, Any], key: str, value: Any, origin: str) -> None:
    *parents, last = key.split(".")
    table = raw
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise ConfigError(origin, key, f"{parent!r} is a value, not a section")
    table[last] = copy.deepcopy(value)


def _remember(table: Mapping[str, Any], prefix: str, origin: str, origins: dict[str, str]) -> None:
    for key, value in table.items():
        dotted = f"{prefix}.{key}" if prefix else key
        origins[dotted] = origin
        if isinstance(value, dict):
            _remember(value, dotted, origin, origins)


def _origin(origins: Mapping[str, str], key: str) -> str:
    """Where a key was given, or something inside of it, or else the section around it."""
    key = _SUBSCRIPT.sub("", key)
    inside = (origin for other, origin in origins.items() if other.startswith(f"{key}."))
    found = origins.get(key) or next(inside, None)
    while key and found is None:
        key = key.rpartition(".")[0]
        found = origins.get(key)
    return found or "configuration"


def _convert[T](raw: Any, kind: type[T], prefix: str, origins: Mapping[str, str], texts: dict[str, str]) -> T:
    """The typed form. `texts` holds what stood in the environment, for options that take text which looks otherwise."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        key, reason = _explain(str(error), kind, prefix)
    except Invalid as error:
        key, reason = _given(error.field or "", prefix, origins), error.reason
    except NautilusError as error:
        raise ConfigError(_origin(origins, prefix), prefix or "configuration", str(error)) from None
    text = texts.pop(key, None)
    if text is None or not _WANTS_TEXT.match(reason):
        raise ConfigError(_origin(origins, key), key, reason)
    _put(raw, key.removeprefix(f"{prefix}."), text, _origin(origins, key))
    return _convert(raw, kind, prefix, origins, texts)


def _given(field: str, prefix: str, origins: Mapping[str, str]) -> str:
    """The dotted key of a field that a section itself refuses: the one that was given, where there is only one."""
    inside = (key for key in origins if key == prefix or key.startswith(f"{prefix}." if prefix else ""))
    keys = [key for key in inside if f".{key}".endswith(f".{field}")]
    return keys[0] if len(keys) == 1 else f"{prefix}.{field}" if prefix else field


def _explain(message: str, kind: type[Any], prefix: str) -> tuple[str, str]:
    """Key and reason of a msgspec message such as "Expected `int`, got `str` - at `$.http.port`"."""
    reason, _, path = message.partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    unknown = "Object contains unknown field `"
    if reason.startswith(unknown):
        field = reason.removeprefix(unknown).rstrip("`")
        owners = [kind]
        for part in filter(None, _SUBSCRIPT.sub("", path).split(".")):
            fields = [field for owner in owners for field in msgspec.structs.fields(owner) if field.name == part]
            owners = [struct for field in fields for struct in _structs(field.type)]
        allowed = dict.fromkeys(field.name for owner in owners for field in msgspec.structs.fields(owner))
        reason = f"unknown key; allowed are {', '.join(allowed)}"
        path = f"{path}.{field}" if path else field
    return ".".join(part for part in (prefix, path) if part), reason


def _structs(hint: Any) -> list[type[msgspec.Struct]]:
    """The Structs that a type is made of: itself, an alternative, or the items of a collection."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return [hint]
    return [struct for argument in get_args(hint) for struct in _structs(argument)]
