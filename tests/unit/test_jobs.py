"""A job that somebody else is just changing."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from shared import jobs
from shared.aws.table import Table
from shared.jobs import JobStore
from tests import factories
from tests.fakes import NOW

JOB = jobs.release(factories.WORKSPACE, "crm", NOW)


def store_refusing(code: str) -> JobStore:
    def update_item(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code}}, "UpdateItem")

    return JobStore(Table(cast("Any", SimpleNamespace(update_item=update_item)), "ConfigTable"))


@pytest.mark.parametrize(
    "code", ["ConditionalCheckFailedException", "TransactionConflictException"]
)
def test_is_left_to_them(code: str) -> None:
    store_refusing(code).requeued(JOB, NOW)


def test_is_not_taken_for_a_fault() -> None:
    with pytest.raises(ClientError):
        store_refusing("ProvisionedThroughputExceededException").requeued(JOB, NOW)
