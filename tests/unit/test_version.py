import tomllib
from pathlib import Path

from shared.version import VERSION

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_version_that_health_tells_is_the_projects() -> None:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]

    assert project["version"] == VERSION
