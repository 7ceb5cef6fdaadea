"""Against botocore as it comes: the same addresses, the same items."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.loaders import Loader
from botocore.parsers import ResponseParserFactory
from botocore.session import Session, get_session

from shared.aws import clients
from shared.aws.items import from_item, to_item

# One of each partition that has the services.
REGIONS = ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1")
SERVICES = ("dynamodb", "events", "s3", "sqs")
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamodb": ("list_tables", {}),
    "events": ("list_event_buses", {}),
    "s3": ("get_object", {"Bucket": "events-of-mine", "Key": "a/b"}),
    "sqs": ("list_queues", {}),
}
ITEM: dict[str, Any] = {"pk": "W#1", "payload": b"\x00\xff", "list": [{"number": 7, "text": "é"}]}


class Answers:
    """Stands for AWS: keeps the requests and says the same to each."""

    def __init__(self, status: int = 200, said: Any = None) -> None:
        self.requests: list[AWSPreparedRequest] = []
        self._status, self._body = status, json.dumps(said or {}).encode()

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        return AWSResponse(request.url, self._status, {}, self)  # type: ignore[arg-type]

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


@pytest.fixture(scope="module")
def ours() -> Iterator[Session]:
    clients._session.cache_clear()
    yield clients._session()
    clients._session.cache_clear()


def client(session: Session, service: str, region: str, answers: Answers) -> Any:
    made: Any = session.create_client(service, region_name=region, config=clients._config)
    made.meta.events.register_first("before-send", answers)
    return made


def asked(session: Session, service: str, region: str) -> list[str]:
    """Where a call goes, and for which region and service it is signed."""
    answers, (operation, parameters) = Answers(), CALLS[service]
    getattr(client(session, service, region, answers), operation)(**parameters)
    (request,) = answers.requests
    scope = str(request.headers["Authorization"]).partition("Credential=")[2].partition(",")[0]
    return [request.url.partition("?")[0], *scope.split("/")[2:]]


class TestACall:
    @pytest.mark.parametrize("region", REGIONS)
    @pytest.mark.parametrize("service", SERVICES)
    def test_goes_where_botocore_sends_it(self, ours: Session, service: str, region: str) -> None:
        assert asked(ours, service, region) == asked(get_session(), service, region)

    def test_goes_to_a_fips_endpoint_if_the_environment_says_so(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
        clients._session.cache_clear()

        address = asked(clients._session(), "dynamodb", "us-east-1")[0]

        clients._session.cache_clear()
        assert address == "https://dynamodb-fips.us-east-1.amazonaws.com/"


class TestAPlainSession:
    def test_is_made_if_the_environment_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRIM_BOTOCORE", "false")
        clients._session.cache_clear()

        session = clients._session()

        clients._session.cache_clear()
        assert type(session.get_component("data_loader")) is Loader
        assert type(session.get_component("response_parser_factory")) is ResponseParserFactory


class TestABotocoreThatDoesNotTakeOurParts:
    def test_is_used_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            clients._TrimmedLoader, "load_data_with_path", Mock(side_effect=TypeError)
        )
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        clients._session.cache_clear()

        made = clients._client("dynamodb")

        clients._session.cache_clear()
        assert made.meta.endpoint_url == "https://dynamodb.eu-central-1.amazonaws.com"


class TestAnItem:
    def test_of_an_answer_is_what_was_stored(self, ours: Session) -> None:
        wire = json.loads(json.dumps(to_item(ITEM), default=_base64))
        dynamodb = client(ours, "dynamodb", "us-east-1", Answers(200, {"Item": wire}))

        answer = dynamodb.get_item(TableName="events", Key=to_item({"pk": "W#1"}))

        assert from_item(answer["Item"]) == ITEM

    def test_of_a_refused_write_is_what_was_stored(self, ours: Session) -> None:
        wire = json.loads(json.dumps(to_item(ITEM), default=_base64))
        said = {"__type": "com.amazonaws#ConditionalCheckFailedException", "Item": wire}
        dynamodb = client(ours, "dynamodb", "us-east-1", Answers(400, said))

        with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as refused:
            dynamodb.put_item(TableName="events", Item=to_item(ITEM))

        assert from_item(refused.value.response["Item"]) == ITEM


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
