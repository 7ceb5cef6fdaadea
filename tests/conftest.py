"""What holds for every test: no real AWS, no deadline that a busy machine could miss."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the tests, one of them runs all tests of a file."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
