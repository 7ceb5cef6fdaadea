"""One botocore session for the process, and the clients made from it."""

from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError
from botocore.session import Session, get_session

from shared import settings
from shared.aws.botocore_parts import Loader, Parsers
from shared.aws.table import Table
from shared.observability import fault, logger
from shared.version import VERSION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_config = Config(
    # Otherwise botocore puts one together for every request, and checks every parameter in Python
    # that the service checks again: a fifth of the CPU of a call.
    user_agent=f"Funnelhooks/{VERSION}",
    parameter_validation=False,
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=25,
    tcp_keepalive=True,
    # The host of the region in us-east-1 too: for the old one it would need the list of all hosts.
    s3={"us_east_1_regional_endpoint": "regional"},
)


@cache
def _session() -> Session:
    session = get_session()
    session.register_component("data_loader", Loader(session.get_config_variable("data_path")))
    session.register_component("response_parser_factory", Parsers())
    return session


def _client(service: str) -> Any:
    """botocore comes with the Lambda runtime, which AWS renews when it likes: one that does not
    take our parts is used as it is."""
    try:
        return _session().create_client(service, config=_config)
    except Exception as error:
        logger.warning("client.plain", service_name=service, **fault(error))
        return get_session().create_client(service, config=_config)


@cache
def dynamodb() -> "DynamoDBClient":
    client: DynamoDBClient = _client("dynamodb")
    return client


@cache
def config_table() -> Table:
    return Table(dynamodb(), settings.load().config_table)


@cache
def event_table() -> Table:
    return Table(dynamodb(), settings.load().event_table)


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
    """Those of the function's role; they renew themselves when they are frozen for a request."""
    found = _session().get_credentials()
    if found is None:
        raise NoCredentialsError
    return found
