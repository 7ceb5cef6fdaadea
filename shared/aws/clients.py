"""One botocore session for the process, and the clients made from it.

The session leaves out parts of botocore that cost time and are of no use here
(docs/decisions/0018-performance.md). They replace private parts of botocore, which comes with the
Lambda runtime and changes without us; TRIM_BOTOCORE=false makes the session as botocore does.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader
from botocore.parsers import JSONParser, ResponseParser, ResponseParserFactory
from botocore.session import Session, get_session

from shared import settings
from shared.aws.table import Table
from shared.observability import fault, logger
from shared.version import VERSION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_config = Config(
    # By default botocore assembles the user agent for every request and checks every parameter,
    # which the service checks again: a fifth of the CPU of a call.
    user_agent=f"Funnelhooks/{VERSION}",
    parameter_validation=False,
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    # A run of repair has the most threads: a thread for each shard, and ten for overdue jobs.
    max_pool_connections=32,
    tcp_keepalive=True,
    # In us-east-1 too the host of the region: the old host is in the list that is not read.
    s3={"us_east_1_regional_endpoint": "regional"},
)


@cache
def _session() -> Session:
    session = get_session()
    if settings.load().trim_botocore:
        loader = _TrimmedLoader(session.get_config_variable("data_path"))
        session.register_component("data_loader", loader)
        session.register_component("response_parser_factory", _SharedParsers())
    return session


Make = Callable[[str], Any]


def use(make: Make) -> None:
    """Take clients from `make`, which is given the name of a service, and not from botocore."""
    global _make
    _make = make


def _client(service: str) -> Any:
    return _make(service)


def _of_botocore(service: str) -> Any:
    """The client; if botocore refuses our parts, one that is made without them."""
    try:
        return _session().create_client(service, config=_config)
    except Exception as error:
        logger.warning("client.plain", service_name=service, **fault(error))
        return get_session().create_client(service, config=_config)


_make: Make = _of_botocore


@cache
def dynamodb() -> "DynamoDBClient":
    client: DynamoDBClient = _client("dynamodb")
    return client


@cache
def config_table() -> Table:
    return Table(dynamodb(), settings.resource("CONFIG_TABLE"))


@cache
def event_table() -> Table:
    return Table(dynamodb(), settings.resource("EVENT_TABLE"))


@cache
def sqs() -> "SQSClient":
    client: SQSClient = _client("sqs")
    return client


@cache
def events() -> "EventBridgeClient":
    client: EventBridgeClient = _client("events")
    return client


@cache
def s3() -> "S3Client":
    client: S3Client = _client("s3")
    return client


@cache
def credentials() -> Credentials:
    """The credentials of the function's role. They renew themselves when they are frozen."""
    found = _session().get_credentials()
    if found is None:
        raise NoCredentialsError
    return found


class _TrimmedLoader(Loader):
    def list_available_services(self, type_name: str) -> list[str]:
        """The services that are used here. botocore lists the folders of all 441 services, which is
        half of the time in which a client is made."""
        return ["dynamodb", "events", "s3", "sqs"]

    def load_data_with_path(self, name: str) -> Any:
        """The data of a service, without the hosts of all services in all regions, 1.2 MB of JSON:
        the rules of each service name its hosts."""
        if name == "endpoints":
            return {"partitions": []}, self.BUILTIN_DATA_PATH
        return super().load_data_with_path(name)


class _SharedParsers(ResponseParserFactory):
    """One parser for each protocol. botocore makes two for every answer, in a reference cycle that
    stays until the garbage is collected."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, ResponseParser] = {}

    def create_parser(self, protocol_name: str) -> ResponseParser:
        if protocol_name not in self._made:
            of_items = protocol_name == "json"
            parser = _ItemParser() if of_items else super().create_parser(protocol_name)
            self._made[protocol_name] = parser
        return self._made[protocol_name]


class _ItemParser(JSONParser):
    def _handle_structure(self, shape: Any, value: Any) -> Any:
        """The value of an attribute stays as it came over the wire: `from_item` reads it."""
        if shape.name == "AttributeValue":
            return value
        return super()._handle_structure(shape, value)  # type: ignore[misc]  # not in the stubs
