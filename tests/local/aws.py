"""`aws SERVICE OPERATION --option value …` by boto3: as much of it as docs/runbook.md uses.

Which stack is asked, AWS_ENDPOINT_URL and the credentials in the environment say.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import jmespath  # type: ignore[import-untyped]
from botocore.model import Shape

# Options of the command itself. `cli-binary-format` says how the payload below is read anyway.
_OWN = {"query", "output", "cli-binary-format"}


def run(service: str, operation: str, words: list[str]) -> str:
    """What the command prints."""
    client: Any = boto3.client(service)  # type: ignore[call-overload]
    method = operation.replace("-", "_")
    name = client.meta.method_to_api_mapping[method]
    shape = client.meta.service_model.operation_model(name).input_shape
    options, files = dict(_options(words)), _loose(words)
    members = {member.lower(): member for member in shape.members}
    request = {}
    for option in options.keys() - _OWN:
        member = members[option.replace("-", "")]
        request[member] = _value(shape.members[member], options[option])
    answer = getattr(client, method)(**request)
    answer.pop("ResponseMetadata")
    if files:
        Path(files[0]).write_bytes(answer.pop("Payload").read())
    return _shown(answer, options)


def _options(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    starts = [at for at, word in enumerate(words) if word.startswith("--")]
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        yield words[start].removeprefix("--"), words[start + 1 : end]


def _loose(words: list[str]) -> list[str]:
    """`invoke` alone takes one: the file for the answer, after the option with the payload."""
    options = dict(_options(words))
    return options["payload"][1:] if "payload" in options else []


def _value(shape: Shape, words: list[str]) -> Any:
    match shape.type_name:
        case "list":
            return words
        case "integer" | "long":
            return int(words[0])
        case "structure":
            pairs = (pair.split("=") for pair in words[0].split(","))
            return {name: _value(shape.members[name], [value]) for name, value in pairs}  # type: ignore[attr-defined]
        case "blob":
            return Path(words[0].removeprefix("file://")).read_bytes()
        case _:
            return words[0]


def _shown(answer: Any, options: dict[str, list[str]]) -> str:
    if "query" in options:
        answer = jmespath.search(options["query"][0], answer)
    if options.get("output") == ["text"]:
        return str(answer)
    return json.dumps(answer, indent=2, default=str)


if __name__ == "__main__":
    print(run(sys.argv[1], sys.argv[2], sys.argv[3:]))
