"""What Lambda does with the answer to a batch: which records come again."""

from typing import Any

from shared.standalone.engine.template import Json


def failed_ids(answer: Any) -> set[str]:
    """The ids in a partial batch response; empty if the function does not give one."""
    if not isinstance(answer, dict):
        return set()
    return {failure["itemIdentifier"] for failure in answer.get("batchItemFailures", [])}


def left_of_stream(records: list[Json], failed: set[str]) -> list[Json]:
    """The records from the first one on whose sequence number is in `failed`."""
    for number, record in enumerate(records):
        if record["dynamodb"]["SequenceNumber"] in failed:
            return records[number:]
    return []


def halves(records: list[Json]) -> list[list[Json]]:
    middle = len(records) // 2
    return [half for half in (records[:middle], records[middle:]) if half]
