"""What ships, and what of it each function imports before its first event."""

import pytest

from shared.standalone.engine.template import template
from tests.benchmarks import artefact, scenes
from tests.benchmarks.cold_start import SERVICES, start
from tests.benchmarks.first_event import written
from tests.benchmarks.reach import reached, source

# What only some functions need, and who they are.
NEEDED_BY = {
    "aws_lambda_powertools.event_handler": {"configs", "ingest", "deliveries"},
    "requests": {"dispatch", "retry"},
    "python_multipart": {"ingest"},
    "jsonschema_rs": set[str](),  # with the first schema, from the layer
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
def test_a_function_handles_its_first_event_with_what_ships_alone(function: str) -> None:
    with scenes.of(function, events=1) as scene, written(scene) as tape:
        assert start(function, SERVICES[function], tape, scene.variables).modules


@pytest.mark.parametrize("function", SERVICES)
def test_nothing_is_left_out_that_a_function_could_ever_import(function: str) -> None:
    asked = reached(f"functions.{function}.handler", artefact.whole())

    there = {name for name in asked if source(name, artefact.whole())}
    shipped = {name for name in there for one in artefact.folders(function) if source(name, one)}
    assert there - shipped == set()


@pytest.mark.parametrize("function", SERVICES)
def test_those_have_the_layer_that_could_ever_check_a_schema(function: str) -> None:
    asked = reached(f"functions.{function}.handler", artefact.whole())

    assert ("jsonschema_rs" in asked) == (len(artefact.folders(function)) == 2)


def test_the_layer_holds_what_checks_schemas_where_lambda_looks_for_it() -> None:
    assert (artefact.layer() / "python" / "jsonschema_rs" / "__init__.py").is_file()
    assert not (artefact.built() / "jsonschema_rs").exists()


@pytest.mark.parametrize("function", SERVICES)
def test_a_function_imports_what_it_needs_and_no_more(function: str) -> None:
    modules = set(start(function, SERVICES[function]).modules)

    for module, users in NEEDED_BY.items():
        assert (module in modules) == (function in users), module
