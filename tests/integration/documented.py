"""Every answer of the handlers is one that the OpenAPI document describes."""

import json
import re
from functools import cache
from typing import Any

import jsonschema_rs

from functions.configs.routes import public

SERVER_ERROR = 500


def assert_documented(method: str, path: str, status: int, body: Any) -> None:
    """An address that is in no document answers 404; a fault of ours is no promise."""
    operation = _operation(method, path.rstrip("/"))
    if operation is None or status >= SERVER_ERROR:
        return
    described = operation["responses"].get(str(status))
    assert described is not None, f"{method} {path}: {status} is not documented"
    schema = described.get("content", {}).get("application/json", {}).get("schema")
    if schema is not None:
        _validator(json.dumps(schema)).validate(body)


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for documented, operations in _operations():
        if documented.fullmatch(path):
            found: dict[str, Any] | None = operations.get(method.lower())
            return found
    return None


@cache
def _operations() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """The operations of each path, and what it looks like."""
    return [
        (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), operations)
        for path, operations in _document()["paths"].items()
    ]


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    components = {"components": _document()["components"]}
    return jsonschema_rs.Draft202012Validator(json.loads(schema) | components)


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(public.OPENAPI.read_text())
    return document
