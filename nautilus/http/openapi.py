"""OpenAPI 3.1 from the types of the operations; nothing of it is written by hand."""

import inspect
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from nautilus import __version__
from nautilus.engines.operation import Operation, Page
from nautilus.http.endpoint import JSON, Envelope, Signature
from nautilus.http.problems import PROBLEM_TYPE, Problem

TEMPLATE = "#/components/schemas/{name}"


def openapi_document(groups: Iterable[tuple[str, str, Iterable[Operation]]]) -> dict[str, Any]:
    """The document for groups of (tag, path prefix, operations)."""
    described = [
        (tag, prefix + operation.path, operation, Signature(operation))
        for tag, prefix, operations in groups
        for operation in operations
    ]
    head = [(field.name, field.type) for field in msgspec.structs.fields(Envelope) if field.name != "data"]
    types: list[Any] = [Problem, *(kind for _, kind in head)]
    for _, _, _, signature in described:
        types.append(str if signature.returns is Page else signature.returns)
        if signature.body is not None:
            types.append(signature.body)
        types.extend(signature.hints[name] for name in (*signature.path_names, *signature.query_names))
    schemas, components = msgspec.json.schema_components(types, ref_template=TEMPLATE)
    following = iter(schemas)
    problem_schema = next(following)
    head_schemas = {name: next(following) for name, _ in head}
    paths: dict[str, dict[str, Any]] = {}
    for tag, path, operation, signature in described:
        item = _operation(tag, path, operation, signature, following, problem_schema, head_schemas)
        paths.setdefault(path.rstrip("/") or "/", {})[operation.method.lower()] = item
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Nautilus",
            "version": __version__,
            "description": "Thirteen engines in one process. Errors are problem documents (RFC 9457).",
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(
    tag: str,
    path: str,
    operation: Operation,
    signature: Signature,
    schemas: Any,
    problem_schema: Any,
    head: dict[str, Any],
) -> dict[str, Any]:
    answer = _answer(operation, signature, next(schemas), head)
    item: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{operation.method.lower()}{path}").strip("_"),
        "tags": [tag],
        "responses": {
            str(operation.status): {"description": "Done", "content": answer},
            "default": {"description": "Refused", "content": {PROBLEM_TYPE: {"schema": problem_schema}}},
        },
    }
    if summary := inspect.getdoc(operation.handler):
        item["summary"], _, rest = summary.partition("\n\n")
        if rest:
            item["description"] = rest
    if signature.body is not None:
        item["requestBody"] = {"required": True, "content": {JSON: {"schema": next(schemas)}}}
    parameters = [
        {
            "name": name,
            "in": "path" if name in signature.path_names else "query",
            "required": name in signature.required,
            "schema": next(schemas),
        }
        for name in (*signature.path_names, *signature.query_names)
    ]
    if parameters:
        item["parameters"] = parameters
    return item


def _answer(operation: Operation, signature: Signature, data: Any, head: dict[str, Any]) -> dict[str, Any]:
    """The answer's content. The envelope is spelled out: generic types of one name would collide in the components."""
    if signature.returns is Page:
        return {"text/html": {"schema": {"type": "string"}}}
    if not operation.envelope:
        return {JSON: {"schema": data}}
    properties = {**head, "data": data}
    return {JSON: {"schema": {"type": "object", "properties": properties, "required": list(properties)}}}
