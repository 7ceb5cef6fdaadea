"""What ships, and what of it each function imports before its first event."""

import pytest

from tests.benchmarks import artefact
from tests.benchmarks.cold_start import SERVICES, start
from tests.template import template

# What only some functions need, and who they are.
NEEDED_BY = {
    "aws_lambda_powertools.event_handler": {"configs", "ingest", "deliveries"},
    "requests": {"dispatch", "retry"},
    "python_multipart": {"ingest"},
    "jsonschema_rs": set[str](),  # with the first schema
    "aws_xray_sdk": set[str](),
    "aws_lambda_powertools.utilities.parser": set[str](),
    "boto3": set[str](),  # botocore does all that is needed
    "boto3.resources": set[str](),
}


def test_every_function_is_measured() -> None:
    assert {name.removesuffix("Function").lower() for name in template().functions()} == set(
        SERVICES
    )


def test_the_artefact_is_no_larger_than_promised() -> None:
    assert artefact.zipped_mb(artefact.built()) <= artefact.MAX_ZIPPED_MB


def test_the_artefact_has_bytecode() -> None:
    sources = list(artefact.built().glob("shared/**/*.py"))
    compiled = list(artefact.built().glob("shared/**/*.pyc"))

    assert len(sources) == len(compiled) > 0


@pytest.mark.parametrize("function", SERVICES)
def test_a_function_imports_what_it_needs_and_no_more(function: str) -> None:
    modules = set(start(function, SERVICES[function]).modules)

    for module, users in NEEDED_BY.items():
        assert (module in modules) == (function in users), module
