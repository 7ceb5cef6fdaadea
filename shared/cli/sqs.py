"""Dead letters in SQS: looked at, and moved to the queue that they came from."""

import time
from typing import Any

from botocore.exceptions import ClientError

from shared.cli.api import CommandError
from shared.cli.target import SHOWN

LETTERS = ("source_id", "error_code", "error_message", "error_fields", "refused_at", "received")
# Messages that SQS gives in a call.
BATCH = 10
# Long enough for a batch to be sent and deleted.
HIDDEN_S = 60
_NO_MOVE_TASKS = {"InvalidAction", "AWS.SimpleQueueService.UnsupportedOperation"}


def depth(sqs: Any, url: str) -> int:
    return int(attributes(sqs, url)["ApproximateNumberOfMessages"])


def attributes(sqs: Any, url: str) -> dict[str, str]:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return dict(answer["Attributes"])


def peek(sqs: Any, url: str) -> list[dict[str, Any]]:
    """The first dead letters; they stay in their queue."""
    return [_reason(message) for message in _receive(sqs, url, hidden_s=0, limit=SHOWN)]


def reason(message_id: str, received: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    """Why a message is a dead letter, without its body, which may be personal."""
    told = {name: attributes[name]["StringValue"] for name in attributes if name in LETTERS}
    return {"source_id": message_id, "received": received} | told


def _reason(message: dict[str, Any]) -> dict[str, Any]:
    received = message.get("Attributes", {}).get("ApproximateReceiveCount")
    return reason(message["MessageId"], received, message.get("MessageAttributes", {}))


def move(sqs: Any, letters: str, back_to: str) -> int:
    """The number of messages that were moved. The destination is named, since dead letters that a
    function sent itself have no source queue."""
    source, to = attributes(sqs, letters)["QueueArn"], attributes(sqs, back_to)["QueueArn"]
    try:
        sqs.start_message_move_task(SourceArn=source, DestinationArn=to)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _NO_MOVE_TASKS:
            raise
        return carry(sqs, letters, back_to)
    return _moved(sqs, source)


def _moved(sqs: Any, source: str) -> int:
    while True:
        (task, *_) = sqs.list_message_move_tasks(SourceArn=source, MaxResults=1)["Results"]
        if task["Status"] == "FAILED":
            raise CommandError(f"SQS could not move the messages: {task.get('FailureReason')}")
        if task["Status"] != "RUNNING":
            return int(task["ApproximateNumberOfMessagesMoved"])
        time.sleep(1)


def carry(sqs: Any, letters: str, back_to: str) -> int:
    """For an SQS without move tasks. After a crash, a message may be sent twice: no harm."""
    carried, left = 0, depth(sqs, letters)
    while carried < left and (found := _receive(sqs, letters, HIDDEN_S)):
        for message in found:
            sqs.send_message(QueueUrl=back_to, MessageBody=message["Body"], **_group(message))
            sqs.delete_message(QueueUrl=letters, ReceiptHandle=message["ReceiptHandle"])
        carried += len(found)
    return carried


def _group(message: dict[str, Any]) -> dict[str, str]:
    group = message.get("Attributes", {}).get("MessageGroupId")
    return {"MessageGroupId": group} if group else {}


def _receive(sqs: Any, url: str, hidden_s: int, limit: int = BATCH) -> list[dict[str, Any]]:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=limit,
        VisibilityTimeout=hidden_s,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
        WaitTimeSeconds=1,
    )
    return list(answer.get("Messages", []))
