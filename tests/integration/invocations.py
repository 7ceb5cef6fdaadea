"""What AWS hands to the functions, and to which: by the template's routes, mappings and filters."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

from shared.standalone.engine.patterns import matches
from shared.standalone.engine.template import Json, template
from shared.standalone.functions import stage_of
from shared.standalone.routes import Routes
from tests.integration.account import ACCOUNT


def http_event(
    method: str, path: str, body: Any, query: Mapping[str, str], headers: Mapping[str, str]
) -> Json:
    """A request as an HTTP API hands it over, payload format 2.0."""
    event: Json = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(query),
        "headers": {"host": "api.example.com", "user-agent": "pytest"} | dict(headers),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "api",
            "domainName": "api.example.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.42",
                "userAgent": "pytest",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "29/Apr/2026:18:04:15 +0000",
            "timeEpoch": 1777485855000,
        },
        "isBase64Encoded": isinstance(body, bytes),
    }
    if query:
        event["queryStringParameters"] = dict(query)
    if isinstance(body, bytes):
        event["body"] = base64.b64encode(body).decode()
    elif body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event


@cache
def _routes() -> Routes:
    return Routes(template())


def function_for(method: str, path: str) -> str:
    found = _routes().find(method, path)
    assert found is not None, f"{method} {path} leads nowhere"
    return found.stage


def consumer_of(queue: str) -> str:
    for function, source in template().events("SQS"):
        if source["Queue"] == {"Fn::GetAtt": [queue, "Arn"]}:
            return stage_of(function)
    raise AssertionError(f"{queue} has no consumer")


def sqs_record(queue: str, message: Any) -> Json:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}",
        "awsRegion": "us-east-1",
    }


def stream_record(record: Any) -> Json:
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    for image in change.keys() & {"Keys", "NewImage", "OldImage"}:
        change[image] = base64ed(change[image])
    return dict(record) | {"dynamodb": change, "eventSource": "aws:dynamodb"}


def passes_the_filter(record: Json) -> bool:
    return any(matches(pattern, record) for pattern in _patterns())


@cache
def _patterns() -> tuple[Any, ...]:
    ((_, source),) = template().events("DynamoDB")
    return tuple(json.loads(entry["Pattern"]) for entry in source["FilterCriteria"]["Filters"])


def came_back(answer: Json) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def base64ed(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: base64ed(inner) for name, inner in value.items()}
    return value
