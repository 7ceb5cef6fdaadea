import pytest
from pydantic import ValidationError

from shared import settings
from shared.aws import clients
from shared.settings import MissingVariableError


def test_a_function_that_is_given_nothing_has_the_defaults() -> None:
    env = settings.load({"PATH": "/bin", "POWERTOOLS_SERVICE_NAME": "ingest"})

    assert (env.retention_days, env.repair_after_s) == (30, 600)
    assert env.ports == {443, 8443}
    assert env.allow_private_targets is False


def test_variables_are_typed() -> None:
    env = settings.load(
        {
            "RETENTION_DAYS": "8",
            "ALLOW_PRIVATE_TARGETS": "true",
            "TARGET_PORTS": "443,8080",
        }
    )

    assert env.retention_days == 8
    assert env.allow_private_targets is True
    assert env.ports == {443, 8080}


@pytest.mark.parametrize(
    "wrong", [{"RETENTION_DAYS": "a month"}, {"ALLOW_PRIVATE_TARGETS": "perhaps"}]
)
def test_a_variable_that_makes_no_sense_stops_the_function(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings.load(wrong)


def test_a_resource_is_what_its_variable_says() -> None:
    assert settings.resource("CONFIG_TABLE", {"CONFIG_TABLE": "configs"}) == "configs"


@pytest.mark.parametrize("environment", [{}, {"CONFIG_TABLE": ""}])
def test_a_resource_whose_variable_is_missing_stops_the_function(
    environment: dict[str, str],
) -> None:
    with pytest.raises(MissingVariableError, match="CONFIG_TABLE is not set"):
        settings.resource("CONFIG_TABLE", environment)


def test_a_table_is_not_used_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENT_TABLE", raising=False)
    clients.event_table.cache_clear()

    with pytest.raises(MissingVariableError, match="EVENT_TABLE"):
        clients.event_table()
