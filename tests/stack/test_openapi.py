"""The OpenAPI document against the running stack: no answer that it does not describe."""

import os
import re
import subprocess
import sys

import pytest
import requests

from tests.local.openapi import text
from tests.local.stack import Stack
from tests.local.standalone import Standalone
from tests.stack.client import PATIENCE_S, Client

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
# What a workspace may do while it is fuzzed.
LIMITS = {"requests_per_minute": 1_000_000, "events_per_second": 1_000_000, "configs": 100_000}


def test_the_document_that_is_served_is_the_one_of_the_code(stack: Stack) -> None:
    answer = requests.get(f"{stack.api_url}/openapi.json", timeout=PATIENCE_S)

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.text == text()


def test_no_generated_request_gets_an_answer_outside_the_document(
    stack: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    client = Client(stack, limits=LIMITS)
    headers = {
        "Authorization": f"Bearer {client.api_key}",
        "X-PROJECT-ID": client.workspace_id,
        "X-API-KEY": client.api_key,
    }

    phases, examples = _phases(stack)

    ran = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{stack.api_url}/openapi.json"),
            *("--checks", ",".join(CHECKS), "--phases", phases, "--max-examples", examples),
            *("--exclude-path", "/v1/import"),  # it cannot write JSON Lines
            "--no-color",
            *(part for name, value in headers.items() for part in ("-H", f"{name}: {value}")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
    generated = re.search(r"(\d+) generated", ran.stdout)
    assert generated is not None
    with capfd.disabled():
        print(f"\n{generated[1]} generated requests, every answer as the document says")
    assert int(generated[1]) > (1_000 if isinstance(stack, Standalone) else 100)


def _phases(stack: Stack | Standalone) -> tuple[str, str]:
    """And how many examples each has. The handlers are the same: that they answer behind the
    emulator, which is slow, is shown by a few requests to each operation."""
    if isinstance(stack, Standalone):
        return "examples,coverage,fuzzing", os.environ.get("FUZZ_EXAMPLES", "5")
    return "examples,fuzzing", "3"
