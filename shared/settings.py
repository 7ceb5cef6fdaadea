"""Every environment variable that a function reads, typed."""

import os
from collections.abc import Mapping

from shared.model import Model


class Settings(Model):
    """A function is given those that it uses; the others keep their defaults."""

    config_table: str = ""
    event_table: str = ""
    dispatch_queue_url: str = ""
    retry_queue_url: str = ""
    event_bus: str = ""
    import_queue_url: str = ""
    dead_letters_url: str = ""
    retention_days: int = 30
    repair_after_s: int = 600
    retry_concurrency: int = 0
    target_ports: str = "443,8443"
    allow_private_targets: bool = False
    metrics_namespace: str = "Funnelhooks"
    trim_botocore: bool = True

    @property
    def ports(self) -> frozenset[int]:
        return frozenset(int(port) for port in self.target_ports.split(","))


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    given = {name: name.upper() for name in Settings.model_fields if name.upper() in environment}
    return Settings.model_validate({name: environment[key] for name, key in given.items()})
