"""Examples for the OpenAPI document, made of the schemas where nobody wrote a better one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# A type that holds itself would have no end.
_DEPTH = 8
_BY_TYPE: Mapping[str, Any] = {"string": "string", "integer": 1, "number": 1.0, "boolean": True, "null": None}


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = _DEPTH) -> Any:
    """A value of a schema: its own example, else its first alternative, a value of each field, one item."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    if "const" in schema:
        return schema["const"]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return example_of(schema[key][0], schemas, depth)
    if schema.get("type") == "array":
        return _items(schema, schemas, depth)
    if schema.get("type") == "object":
        return _fields(schema, schemas, depth)
    if "minimum" in schema:
        return schema["minimum"]
    return _BY_TYPE.get(str(schema.get("type")))


def _items(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int) -> list[Any]:
    if not depth:
        return []
    if "prefixItems" in schema:
        return [example_of(item, schemas, depth - 1) for item in schema["prefixItems"]]
    return [example_of(schema["items"], schemas, depth - 1)] if schema.get("items") else []


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int) -> dict[str, Any]:
    fields = schema.get("properties", {}) if depth else {}
    return {name: example_of(field, schemas, depth - 1) for name, field in fields.items()}
