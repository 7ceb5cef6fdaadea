"""Every environment variable that a function reads, typed."""

import os
from collections.abc import Mapping
from typing import Literal

from shared.errors import FaultError
from shared.model import Model

# Names and addresses of what the template makes. A function is given the ones that it uses.
Resource = Literal[
    "CONFIG_TABLE",
    "EVENT_TABLE",
    "DISPATCH_QUEUE_URL",
    "RETRY_QUEUE_URL",
    "IMPORT_QUEUE_URL",
    "DEAD_LETTERS_URL",
    "EVENT_BUS",
]


class MissingVariableError(FaultError):
    """A function uses a resource whose variable the template does not set for it."""

    def __init__(self, variable: str) -> None:
        super().__init__(f"{variable} is not set: add it to the function's Variables.")


class Settings(Model):
    """What can be tuned. A function is given the settings that it uses."""

    retention_days: int = 30
    repair_after_s: int = 600
    target_ports: str = "443,8443"
    allow_private_targets: bool = False
    metrics_namespace: str = "Funnelhooks"
    trim_botocore: bool = True

    @property
    def ports(self) -> frozenset[int]:
        return frozenset(int(port) for port in self.target_ports.split(","))


_environment: Mapping[str, str] = os.environ


def read_from(environment: Mapping[str, str]) -> None:
    """Read variables from here: where several functions are in one process, each has its own."""
    global _environment
    _environment = environment


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Raises ValidationError for a variable that has no value of its type."""
    environment = _environment if environment is None else environment
    given = {name: name.upper() for name in Settings.model_fields if name.upper() in environment}
    return Settings.model_validate({name: environment[key] for name, key in given.items()})


def resource(variable: Resource, environment: Mapping[str, str] | None = None) -> str:
    """The name or the address of a resource. Raises MissingVariableError."""
    environment = _environment if environment is None else environment
    if not (value := environment.get(variable)):
        raise MissingVariableError(variable)
    return value
