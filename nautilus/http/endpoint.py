"""From an operation to an ASGI endpoint: decode and check the request, call the handler, encode the answer."""

import inspect
import math
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from nautilus.clock import Clock
from nautilus.engines.operation import Operation, Page
from nautilus.errors import Invalid
from nautilus.http.problems import problem
from nautilus.model.enums import Quality

JSON = "application/json"
MAX_BODY_BYTES = 8_388_608
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Envelope[T](msgspec.Struct, frozen=True):
    """Every answer: when it was given (`ts`, ns UTC), by whom (`source`), what it rests on (`quality`), and `data`."""

    ts: int
    source: str
    quality: Quality
    data: T


class Signature:
    """What a handler takes and gives, read from its annotations."""

    def __init__(self, operation: Operation) -> None:
        handler = operation.handler
        hints = get_type_hints(handler, include_extras=True)
        parameters = inspect.signature(handler).parameters
        self.returns: Any = hints.get("return", type(None))
        self.body: Any = hints.get("body")
        self.path_names = [name for name in parameters if f"{{{name}}}" in operation.path]
        self.query_names = [name for name in parameters if name != "body" and name not in self.path_names]
        self.fields = [
            (name, hints[name])
            if parameters[name].default is inspect.Parameter.empty
            else (name, hints[name], parameters[name].default)
            for name in sorted(
                (*self.path_names, *self.query_names),
                key=lambda name: parameters[name].default is not inspect.Parameter.empty,
            )
        ]
        self.required = {field[0] for field in self.fields if len(field) == 2}
        self.hints = hints
        self.parameters: type[msgspec.Struct] | None = (
            msgspec.defstruct(f"{handler.__name__}_parameters", self.fields, forbid_unknown_fields=True, kw_only=True)
            if self.fields
            else None
        )
        self.lists = {name for name in self.query_names if _is_sequence(hints[name])}


def make_endpoint(
    operation: Operation,
    source: str,
    clock: Clock,
    quality: Callable[[], Quality],
    max_body_bytes: int = MAX_BODY_BYTES,
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of one operation."""
    signature = Signature(operation)
    decoder = msgspec.json.Decoder(signature.body) if signature.body is not None else None
    encode = msgspec.json.Encoder().encode
    handler = operation.handler

    async def endpoint(request: Request) -> Response:
        arguments = _parameters(request, signature)
        if decoder is not None:
            content_type = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
            if content_type != JSON:
                return problem(415, "Unsupported media type", f"the body must be {JSON}, not {content_type}")
            try:
                arguments["body"] = decoder.decode(await _body(request, max_body_bytes))
            except msgspec.ValidationError as error:
                raise _invalid(error, "body") from None
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                return problem(400, "Malformed JSON", str(error) or "the body is nested too deeply")
        result = await handler(**arguments)
        if isinstance(result, Page):
            return HTMLResponse(result, operation.status, {"Content-Security-Policy": PAGE_POLICY})
        answer = Envelope(clock.timestamp_ns(), source, quality(), result) if operation.envelope else result
        return Response(encode(answer), operation.status, media_type=JSON)

    return endpoint


async def _body(request: Request, limit: int) -> bytes:
    """The body, given up as soon as it is known to be too large."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise HTTPException(413, f"the body may have {limit} bytes, not {announced[:20]}")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise HTTPException(413, f"the body may have {limit} bytes")
    return bytes(body)


def _parameters(request: Request, signature: Signature) -> dict[str, Any]:
    query = request.query_params
    raw: dict[str, Any] = {}
    for name in query:
        if name not in signature.query_names:
            allowed = ", ".join(signature.query_names) or "none"
            raise Invalid(name, f"unknown query parameter; allowed: {allowed}")
        values = query.getlist(name)
        if len(values) > 1 and name not in signature.lists:
            raise Invalid(name, f"is given {len(values)} times")
        raw[name] = values if name in signature.lists else values[0]
    raw.update(request.path_params)
    if signature.parameters is None:
        return {}
    try:
        converted = msgspec.structs.asdict(msgspec.convert(raw, signature.parameters, strict=False))
    except msgspec.ValidationError as error:
        raise _invalid(error, "") from None
    for name, value in converted.items():
        for item in value if isinstance(value, (list, tuple, set, frozenset)) else (value,):
            _check(name, item)
    return converted


def _check(name: str, value: Any) -> None:
    if isinstance(value, (float, Decimal)) and not math.isfinite(value):
        raise Invalid(name, "must be a finite number")
    if isinstance(value, str) and "\x00" in value:
        raise Invalid(name, "must not contain a null character")


def _invalid(error: msgspec.ValidationError, prefix: str) -> Invalid:
    """Name the field of a message such as "Expected `int`, got `str` - at `$.legs[0].price`"."""
    reason, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").lstrip(".")
    for marker in ("unknown field `", "required field `"):
        if marker in reason:
            missing = reason.partition(marker)[2].rstrip("`")
            field = f"{field}.{missing}" if field else missing
    return Invalid(".".join(part for part in (prefix, field) if part) or "request", reason)


def _is_sequence(hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (list, tuple, set, frozenset):
        return True
    return any(_is_sequence(argument) for argument in get_args(hint) if not isinstance(argument, msgspec.Meta))
