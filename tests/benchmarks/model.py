"""DynamoDB and SQS as a formula: tables of any size that take no room, for what grows.

A Query on an index finds `count` items in order, each made from its number when it is asked for;
a batch read finds every key; a write succeeds. It answers below botocore's signing.
"""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from shared.standalone.engine.template import Json
from tests.benchmarks.tape import Raw, instead_of_moto

# One item in DynamoDB's own JSON.
Made = Callable[[int], Json]
PAGE = 1_000


class Model:
    """`made` gives the items of a Query by number, `found` an item by its key.

    A Query finds `count` items, or as many as `how_many` says of it.
    """

    def __init__(
        self,
        count: int,
        made: Made,
        found: Callable[[Json], Json] = lambda key: key,
        how_many: Callable[[Json], int] | None = None,
    ) -> None:
        self.calls = Counter[str]()
        self._made = made
        self._found = found
        self._how_many = how_many or (lambda asked: count)

    @contextmanager
    def answering(self) -> Iterator["Model"]:
        with instead_of_moto(self._answer):
            yield self

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        self.calls[operation] += 1
        asked: Any = request.body or "{}"
        answer = _ANSWERS[operation](self, json.loads(asked))
        headers = {"content-type": "application/x-amz-json-1.0"}
        raw = Raw(json.dumps(answer, default=_text).encode())
        return AWSResponse(request.url, 200, headers, raw)  # type: ignore[arg-type]

    def query(self, asked: Json) -> Json:
        """The position is in the start key, where an earlier answer put it."""
        start = int(asked["ExclusiveStartKey"]["at"]["N"]) if "ExclusiveStartKey" in asked else 0
        count = self._how_many(asked)
        end = min(count, start + asked.get("Limit", PAGE))
        answer: Json = {"Items": [self._made(number) for number in range(start, end)]}
        answer["Count"] = answer["ScannedCount"] = len(answer["Items"])
        if end < count:
            last = answer["Items"][-1] if "Limit" in asked else {}
            answer["LastEvaluatedKey"] = last | {"at": {"N": str(end)}}
        return answer

    def batch_get_item(self, asked: Json) -> Json:
        responses = {
            table: [self._found(key) for key in wanted["Keys"]]
            for table, wanted in asked["RequestItems"].items()
        }
        return {"Responses": responses, "UnprocessedKeys": {}}

    def update_item(self, asked: Json) -> Json:
        return {"Attributes": self._found(asked["Key"])}

    def send_message_batch(self, asked: Json) -> Json:
        sent = [
            {"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": ""}
            for entry in asked["Entries"]
        ]
        return {"Successful": sent, "Failed": []}

    def nothing(self, asked: Json) -> Json:
        return {}


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


_ANSWERS: Mapping[str, Callable[[Model, Json], Json]] = {
    "Query": Model.query,
    "BatchGetItem": Model.batch_get_item,
    "UpdateItem": Model.update_item,
    "PutItem": Model.nothing,
    "GetItem": Model.nothing,
    "SendMessageBatch": Model.send_message_batch,
}
