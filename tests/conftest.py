"""What holds for every test: no real AWS, no deadline that a busy machine could miss."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

# Made up, so that no test can reach an account. The account's own endpoint is one that moto does
# not answer for streams.
os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "AWS_EC2_METADATA_DISABLED": "true",
}
for _name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION"):
    os.environ.pop(_name, None)

# The same examples at every run: what fails here fails on the next machine too. No limit of time,
# and more than these examples, others each time, with `--hypothesis-profile=explore`.
_calm: Any = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", max_examples=60, derandomize=True, **_calm)
settings.register_profile("explore", max_examples=300, **_calm)
settings.load_profile("same")


# One process runs these files on a deployed stack, another one the others, each on its own stack.
_FIRST_SHARE = (
    "test_cli.py",
    "test_faults.py",
    "test_flowestate.py",
    "test_openapi.py",
    "test_replays.py",
    "test_schedule.py",
)


class Shares(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """The tests of a deployed stack in two shares, all others by their file."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        if "[deployed" not in nodeid:
            return scope
        return f"deployed {1 if scope.endswith(_FIRST_SHARE) else 2}"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares:
    return Shares(config, log)
