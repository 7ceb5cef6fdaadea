"""What ships: each handler starts from its built artefact alone, with what Lambda adds to it."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.local.stack import Stack, state_folder

FUNCTIONS = ["configs", "ingest", "imports", "fanout", "dispatch", "retry", "repair", "deliveries"]
# boto3 and what it needs come with the Lambda runtime.
RUNTIME = ["boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six"]

START = """
import sys
sys.path[:0] = sys.argv[2:]
from importlib import import_module
handler = import_module(f"functions.{sys.argv[1]}.handler").lambda_handler
assert callable(handler)
strangers = [m.__file__ for m in list(sys.modules.values())
             if (getattr(m, "__file__", None) or "").find("site-packages") >= 0]
assert not strangers, strangers
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
        (folder / source.name).symlink_to(source)
    return folder


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_starts_from_its_artefact_alone(
    stack: Stack, runtime: Path, function: str
) -> None:
    artefact = state_folder() / "sam" / "build" / f"{function.capitalize()}Function"

    started = subprocess.run(
        [sys.executable, "-I", "-S", "-c", START, function, artefact.absolute(), runtime],
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode == 0, started.stderr


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_artefact_ships_the_code_and_no_tests(stack: Stack, function: str) -> None:
    artefact = state_folder() / "sam" / "build" / f"{function.capitalize()}Function"

    shipped = {path.name for path in artefact.iterdir()}

    assert {"functions", "shared", "pydantic", "requests", "aws_lambda_powertools"} <= shipped
    assert not shipped & {"tests", "docs", "README.md", "boto3", "botocore", ".venv"}


def test_the_built_template_has_no_anchors_and_merge_keys_which_cloudformation_does_not_read(
    stack: Stack,
) -> None:
    built = state_folder() / "sam" / "build" / "template.yaml"

    tokens = list(yaml.scan(built.read_text(encoding="utf-8")))

    assert not [t for t in tokens if isinstance(t, yaml.AnchorToken | yaml.AliasToken)]
    assert "<<" not in {t.value for t in tokens if isinstance(t, yaml.ScalarToken)}
