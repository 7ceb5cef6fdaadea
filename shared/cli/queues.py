"""Dead letters: shown with their reasons, and sent back to their queue."""

import time
from typing import Any

import click
from botocore.exceptions import ClientError

from shared.cli import show
from shared.cli.api import CommandError
from shared.cli.options import on_stack
from shared.cli.target import StackTarget

QUEUES = {"intake": "Intake", "imports": "Import", "dispatch": "Dispatch", "retry": "Retry"}
LETTERS = ("source_id", "error_code", "error_message", "error_fields", "refused_at", "received")
# Messages that SQS gives in a call.
BATCH = 10
# Long enough for a batch to be sent and deleted.
HIDDEN_S = 60
_NO_MOVE_TASKS = {"InvalidAction", "AWS.SimpleQueueService.UnsupportedOperation"}


@click.command()
@click.argument("queue", type=click.Choice(list(QUEUES)))
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_stack
def redrive(target: StackTarget, queue: str, yes: bool) -> None:
    """Show the first dead letters of a queue and send all of them back to it.

    The dead letters of fanout cannot be sent back: repair makes their deliveries.
    """
    sqs, found = target.client("sqs"), target.resources("queues")
    letters, back_to = found[f"{QUEUES[queue]}DeadLetters"], found[f"{QUEUES[queue]}Queue"]
    count = depth(sqs, letters)
    if count == 0:
        click.echo(f"There are no dead letters of {queue}.")
        return
    shown = peek(sqs, letters)
    show.table(f"{count} dead letters of {queue}, the first {len(shown)}:", LETTERS, shown)
    if not yes:
        click.confirm(f"Send all of them back to {queue}?", abort=True)
    click.echo(f"{_move(sqs, letters, back_to)} sent back to {queue}.")


def depth(sqs: Any, url: str) -> int:
    return int(attributes(sqs, url)["ApproximateNumberOfMessages"])


def attributes(sqs: Any, url: str) -> dict[str, str]:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return dict(answer["Attributes"])


def peek(sqs: Any, url: str) -> list[dict[str, Any]]:
    """The first dead letters; they stay in their queue."""
    found = _receive(sqs, url, hidden_s=0)
    return [_reason(message) for message in found]


def _reason(message: dict[str, Any]) -> dict[str, Any]:
    """The reason without the body, which may be personal."""
    attributes = message.get("MessageAttributes", {})
    reason = {name: attributes[name]["StringValue"] for name in attributes if name in LETTERS}
    received = message.get("Attributes", {}).get("ApproximateReceiveCount")
    return {"source_id": message["MessageId"], "received": received} | reason


def _move(sqs: Any, letters: str, back_to: str) -> int:
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


def _receive(sqs: Any, url: str, hidden_s: int) -> list[dict[str, Any]]:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=BATCH,
        VisibilityTimeout=hidden_s,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
        WaitTimeSeconds=1,
    )
    return list(answer.get("Messages", []))
