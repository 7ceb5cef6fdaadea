"""The account in memory and the one on moto do the same with messages, records and objects.

Of DynamoDB each request that is new is compared where it is made (tests/integration/contract.py).
"""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.aws import clients
from shared.aws.items import to_item
from shared.standalone.engine.template import template
from tests.fakes import FakeClock
from tests.integration.account import IMPORT_BUCKET, Account
from tests.integration.engine_account import account_in_memory
from tests.integration.moto_account import account_on_moto

QUEUE = "RetryQueue"
EVENT = {"pk": "W#1#E#1", "sk": "EVENT"}


@pytest.fixture(scope="module", params=[account_in_memory, account_on_moto])
def any_account(request: pytest.FixtureRequest) -> Iterator[Account]:
    with request.param() as account:
        yield account


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def account(any_account: Account, clock: FakeClock) -> Iterator[Account]:
    with any_account.at(clock):
        yield any_account
        any_account.empty()


def url(account: Account, queue: str) -> str:
    variable = {"Variables": {"URL": {"Ref": queue}}}
    return account.variables({"Environment": variable})["URL"]


def send(account: Account, *bodies: str, queue: str = QUEUE, **more: Any) -> None:
    entries: Any = [
        {"Id": str(number), "MessageBody": body, **more} for number, body in enumerate(bodies)
    ]
    answer = clients.sqs().send_message_batch(QueueUrl=url(account, queue), Entries=entries)
    assert len(answer["Successful"]) == len(bodies)


def bodies(account: Account, queue: str = QUEUE) -> list[str]:
    return [message["Body"] for message in account.receive(queue)]


class TestMessages:
    def test_come_in_their_order_ten_at_a_time(self, account: Account) -> None:
        send(account, *"abcdefghij", MessageGroupId="one")
        send(account, "k", MessageGroupId="two")

        assert bodies(account) == list("abcdefghij")
        assert bodies(account) == ["k"]
        assert bodies(account) == []

    def test_are_delayed(self, account: Account, clock: FakeClock) -> None:
        send(account, "later", DelaySeconds=60)

        assert bodies(account) == []
        clock.advance(59)
        assert (bodies(account), account.depth(QUEUE)) == ([], 1)
        clock.advance(1)
        assert bodies(account) == ["later"]

    def test_that_nobody_deletes_come_again(self, account: Account, clock: FakeClock) -> None:
        send(account, "kept", "done")
        kept, done = account.receive(QUEUE)
        account.delete(QUEUE, done["ReceiptHandle"])
        properties = template().of_type("AWS::SQS::Queue")[QUEUE]

        clock.advance(properties["VisibilityTimeout"] - 1)
        assert bodies(account) == []
        clock.advance(1.001)
        (again,) = account.receive(QUEUE)

        assert (again["Body"], again["MessageId"]) == ("kept", kept["MessageId"])
        assert [one["Attributes"]["ApproximateReceiveCount"] for one in (kept, again)] == ["1", "2"]

    def test_that_come_too_often_go_to_the_dead_letters(
        self, account: Account, clock: FakeClock
    ) -> None:
        properties = template().of_type("AWS::SQS::Queue")[QUEUE]
        letters = properties["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        attribute = {"why": {"DataType": "String", "StringValue": "because"}}
        send(account, "poison", MessageAttributes=attribute)

        for _ in range(properties["RedrivePolicy"]["maxReceiveCount"]):
            assert bodies(account) == ["poison"]
            clock.advance(properties["VisibilityTimeout"] + 0.001)
        assert bodies(account) == []

        (letter,) = account.letters(letters)
        assert letter["Body"] == "poison"
        assert letter["MessageAttributes"]["why"]["StringValue"] == "because"

    def test_are_gone_when_their_queue_is_purged(self, account: Account, clock: FakeClock) -> None:
        send(account, "now")
        send(account, "later", DelaySeconds=60)
        account.send(QUEUE, "another")
        assert account.depth(QUEUE) == 3

        account.purge(QUEUE)
        clock.advance(60)

        assert (account.depth(QUEUE), bodies(account)) == (0, [])

    def test_are_ten_at_most(self, account: Account) -> None:
        with pytest.raises(ClientError) as raised:
            send(account, *"abcdefghijk")

        assert "TooManyEntriesInBatchRequest" in str(raised.value)


class TestTheStream:
    def test_has_every_change_in_order(self, account: Account) -> None:
        begin = account.stream_from_here()
        dynamodb = clients.dynamodb()

        dynamodb.put_item(TableName="EventTable", Item=to_item(EVENT | {"n": 1, "raw": b"\xff"}))
        dynamodb.put_item(TableName="EventTable", Item=to_item(EVENT | {"n": 2}))
        read, middle = account.read_stream(begin)
        dynamodb.delete_item(TableName="EventTable", Key=to_item(EVENT))
        more, _ = account.read_stream(middle)

        assert [one["eventName"] for one in (*read, *more)] == ["INSERT", "MODIFY", "REMOVE"]
        assert [one["dynamodb"]["Keys"] for one in (*read, *more)] == [to_item(EVENT)] * 3
        images = [one["dynamodb"].get("NewImage") for one in (*read, *more)]
        assert images == [
            to_item(EVENT | {"n": 1, "raw": b"\xff"}),
            to_item(EVENT | {"n": 2}),
            None,
        ]

    def test_has_nothing_of_a_write_that_was_refused(self, account: Account) -> None:
        begin = account.stream_from_here()

        with pytest.raises(clients.dynamodb().exceptions.ConditionalCheckFailedException):
            clients.dynamodb().put_item(
                TableName="EventTable",
                Item=to_item(EVENT),
                ConditionExpression="attribute_exists(pk)",
            )

        assert account.read_stream(begin)[0] == []


class TestAnObject:
    def test_is_read_in_ranges(self, account: Account) -> None:
        etag = account.upload("a", b"0123456789")

        assert self._read("a", etag, "bytes=0-3") == b"0123"
        assert self._read("a", etag, "bytes=8-99") == b"89"
        assert account.object("a") == b"0123456789"

    @pytest.mark.parametrize(
        ("key", "etag", "part", "code"),
        [
            ("a", "other", "bytes=0-1", "PreconditionFailed"),
            ("b", None, "bytes=0-1", "NoSuchKey"),
            ("a", None, "bytes=10-11", "InvalidRange"),
        ],
    )
    def test_that_is_not_there_or_another_is_refused(
        self, account: Account, key: str, etag: str | None, part: str, code: str
    ) -> None:
        known = account.upload("a", b"0123456789")

        with pytest.raises(ClientError) as raised:
            self._read(key, etag or known, part)

        assert raised.value.response["Error"]["Code"] == code

    @pytest.mark.parametrize(("key", "etag", "code"), [("a", "other", "412"), ("b", None, "404")])
    def test_says_so_in_its_head(
        self, account: Account, key: str, etag: str | None, code: str
    ) -> None:
        known = account.upload("a", b"0123456789")
        clients.s3().head_object(Bucket=IMPORT_BUCKET, Key="a", IfMatch=f'"{known}"')

        with pytest.raises(ClientError) as raised:
            clients.s3().head_object(Bucket=IMPORT_BUCKET, Key=key, IfMatch=f'"{etag or known}"')

        assert raised.value.response["Error"]["Code"] == code

    def test_is_listed_until_it_is_deleted(self, account: Account) -> None:
        account.upload("b", b"")
        clients.s3().put_object(Bucket=IMPORT_BUCKET, Key="a", Body=b"{}", ContentType="text/plain")
        assert account.objects() == ["a", "b"]

        account.delete_object("b")

        assert (account.objects(), account.object("a")) == (["a"], b"{}")

    @staticmethod
    def _read(key: str, etag: str, part: str) -> bytes:
        answer = clients.s3().get_object(
            Bucket=IMPORT_BUCKET, Key=key, IfMatch=f'"{etag}"', Range=part
        )
        return answer["Body"].read()
