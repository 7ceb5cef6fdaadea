"""The state of a stack: its queues, its functions, its failing endpoints."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import click

from shared.aws.items import as_model
from shared.aws.table import Table
from shared.cli import show
from shared.cli.options import as_json, on_stack
from shared.cli.queues import attributes
from shared.cli.target import StackTarget
from shared.clock import rfc3339
from shared.endpoints.breaker import EndpointHealth
from shared.tables.config_table import health_key

QUEUES = ("queue", "waiting", "in_flight", "delayed", "oldest_s", "dead_letters")
FUNCTIONS = ("function", "errors_last_hour", "throttles_last_hour")
ENDPOINTS = ("config_id", "name", "trouble", "reason", "since")
HOUR_S = 3600
AGE_S = 300


class Ask(NamedTuple):
    """A metric of CloudWatch over the last `period_s` seconds."""

    metric: str
    namespace: str
    dimension: str
    stat: str
    period_s: int


AGE = Ask("ApproximateAgeOfOldestMessage", "AWS/SQS", "QueueName", "Maximum", AGE_S)
ERRORS = Ask("Errors", "AWS/Lambda", "FunctionName", "Sum", HOUR_S)
THROTTLES = Ask("Throttles", "AWS/Lambda", "FunctionName", "Sum", HOUR_S)


@click.command()
@as_json
@on_stack
def status(target: StackTarget, as_json: bool) -> None:
    """Queues with depth and age, dead letters, errors of functions, endpoints in trouble.

    Endpoints need an API key of the workspace; tripped endpoints need its id (--workspace) too.
    """
    found = {"queues": queues(target), "functions": functions(target)}
    if target.has_key:
        found["endpoints"] = endpoints(target)
    if as_json:
        show.document(found)
        return
    show.table(f"Queues of {target.stack}", QUEUES, found["queues"])
    show.table("Functions", FUNCTIONS, found["functions"])
    if target.has_key:
        show.table("Endpoints in trouble", ENDPOINTS, found["endpoints"])
    else:
        click.echo("Endpoints in trouble: put a key of the workspace into FUNNELHOOKS_API_KEY.")


def queues(target: StackTarget) -> list[dict[str, Any]]:
    """A row for each queue with its dead letters. Fanout, which reads a stream, has no queue."""
    sqs, urls = target.client("sqs"), target.resources("queues")
    known = {name: attributes(sqs, url) for name, url in urls.items()}
    read = {name.removesuffix("DeadLetters").removesuffix("Queue") for name in known}
    ages = _figures(target, AGE, [_last(url) for url in urls.values()])
    return [_queue(name, known, ages, urls) for name in sorted(read)]


def _queue(
    name: str,
    known: dict[str, dict[str, str]],
    ages: dict[str, int | None],
    urls: dict[str, str],
) -> dict[str, Any]:
    queue, letters = known.get(f"{name}Queue", {}), known.get(f"{name}DeadLetters", {})
    return {
        "queue": name.lower(),
        "waiting": _number(queue, ""),
        "in_flight": _number(queue, "NotVisible"),
        "delayed": _number(queue, "Delayed"),
        "oldest_s": ages.get(_last(urls.get(f"{name}Queue", ""))),
        "dead_letters": _number(letters, ""),
    }


def _number(found: dict[str, str], kind: str) -> int | None:
    value = found.get(f"ApproximateNumberOfMessages{kind}")
    return None if value is None else int(value)


def functions(target: StackTarget) -> list[dict[str, Any]]:
    names = sorted(target.resources("functions").values())
    errors, throttles = _figures(target, ERRORS, names), _figures(target, THROTTLES, names)
    return [
        {
            "function": name,
            "errors_last_hour": errors[name],
            "throttles_last_hour": throttles[name],
        }
        for name in names
    ]


def endpoints(target: StackTarget) -> list[dict[str, Any]]:
    """Active configs that are disabled, or whose breaker is open."""
    listed = target.api.get("/v1/webhookconfig/list", status="active")
    tripped = _tripped(target, [config["idWebhookConfig"] for config in listed])
    disabled = [_disabled(config) for config in listed if not config["enabled"]]
    names = {config["idWebhookConfig"]: config["webhookConfigName"] for config in listed}
    return disabled + [
        {
            "config_id": config_id,
            "name": names[config_id],
            "trouble": "tripped",
            "reason": "endpoint_tripped",
            "since": since,
        }
        for config_id, since in tripped.items()
    ]


def _disabled(config: dict[str, Any]) -> dict[str, Any]:
    return {
        "config_id": config["idWebhookConfig"],
        "name": config["webhookConfigName"],
        "trouble": "disabled",
        "reason": config.get("disabledReason") or "by hand",
        "since": config.get("disabledAt"),
    }


def _tripped(target: StackTarget, config_ids: list[str]) -> dict[str, str | None]:
    """The configs whose breaker is open, and since when their endpoints fail."""
    if target.workspace_id is None or not config_ids:
        return {}
    table = Table(target.client("dynamodb"), target.output("ConfigTableName"))
    wanted = {
        tuple(health_key(target.workspace_id, config_id).items()): config_id
        for config_id in config_ids
    }
    found = table.get_many(map(dict, wanted))
    open_now = [(item, as_model(EndpointHealth, item)) for item in found]
    return {
        wanted[(("pk", item["pk"]), ("sk", item["sk"]))]: _moment(health.failing_since)
        for item, health in open_now
        if health.opened
    }


def _moment(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)


def _figures(target: StackTarget, ask: Ask, names: list[str]) -> dict[str, int | None]:
    """None if CloudWatch has no data, as for a stack without traffic."""
    end = datetime.now(UTC)
    answer = target.client("cloudwatch").get_metric_data(
        MetricDataQueries=[_query(f"m{number}", ask, name) for number, name in enumerate(names)],
        StartTime=end - timedelta(seconds=ask.period_s),
        EndTime=end,
    )
    values = {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}
    found = {name: values.get(f"m{number}") for number, name in enumerate(names)}
    return {name: int(some[0]) if some else None for name, some in found.items()}


def _query(query_id: str, ask: Ask, name: str) -> dict[str, Any]:
    metric = {
        "Namespace": ask.namespace,
        "MetricName": ask.metric,
        "Dimensions": [{"Name": ask.dimension, "Value": name}],
    }
    stat = {"Metric": metric, "Period": ask.period_s, "Stat": ask.stat}
    return {"Id": query_id, "MetricStat": stat}


def _last(url: str) -> str:
    return url.rpartition("/")[2]
