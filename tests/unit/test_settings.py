import pytest
from pydantic import ValidationError

from shared import settings


def test_a_function_that_is_given_nothing_has_the_defaults() -> None:
    env = settings.load({"PATH": "/bin", "POWERTOOLS_SERVICE_NAME": "ingest"})

    assert (env.retention_days, env.repair_after_s) == (30, 600)
    assert env.ports == {443, 8443}
    assert env.allow_private_targets is False


def test_variables_are_typed() -> None:
    env = settings.load(
        {
            "CONFIG_TABLE": "configs",
            "RETENTION_DAYS": "8",
            "ALLOW_PRIVATE_TARGETS": "true",
            "TARGET_PORTS": "443,8080",
        }
    )

    assert env.config_table == "configs"
    assert env.retention_days == 8
    assert env.allow_private_targets is True
    assert env.ports == {443, 8080}


@pytest.mark.parametrize(
    "wrong", [{"RETENTION_DAYS": "a month"}, {"ALLOW_PRIVATE_TARGETS": "perhaps"}]
)
def test_a_variable_that_makes_no_sense_stops_the_function(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings.load(wrong)
