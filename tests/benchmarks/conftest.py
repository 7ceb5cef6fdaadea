"""What is counted, and no time, is the same in memory."""

from collections.abc import Iterator

import pytest

from tests.benchmarks import journey
from tests.integration.engine_account import account_in_memory


@pytest.fixture(scope="session", autouse=True)
def _in_memory() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journey, "metered_account", account_in_memory)
        yield
