"""The errors of boto3, as its clients raise them."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.exceptions import ClientError


@cache
def error_class(code: str) -> type[ClientError]:
    """`client.exceptions.<code>`: one class for each."""
    return type(code, (ClientError,), {})


def client_error(
    operation: str, code: str, message: str = "", more: Mapping[str, Any] | None = None
) -> ClientError:
    """`more` stands beside the error in the response, such as the item of a failed condition."""
    status = 500 if code == "InternalServerError" else 400
    response: Any = {
        "Error": {"Code": code, "Message": message or code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    } | dict(more or {})
    return error_class(code)(response, operation)


class Exceptions:
    """Stands for `client.exceptions`."""

    def __getattr__(self, code: str) -> type[ClientError]:
        return error_class(code)
