"""The state of a stack: its queues, its functions, its failing endpoints."""

from typing import Any

import click

from shared.aws.items import as_model
from shared.cli import show
from shared.cli.options import as_json, on_stack
from shared.cli.target import CommandTarget, QueueState
from shared.clock import rfc3339
from shared.endpoints.breaker import EndpointHealth
from shared.tables.config_table import health_key

QUEUES = ("queue", "waiting", "in_flight", "delayed", "oldest_s", "dead_letters")
FUNCTIONS = ("function", "errors_last_hour", "throttles_last_hour")
ENDPOINTS = ("config_id", "name", "trouble", "reason", "since")


@click.command()
@as_json
@on_stack
def status(target: CommandTarget, as_json: bool) -> None:
    """Queues with depth and age, dead letters, errors of functions, endpoints in trouble.

    Endpoints need an API key of the workspace; tripped endpoints need its id (--workspace) too.
    """
    found = {"queues": queues(target), "functions": functions(target)}
    if target.has_key:
        found["endpoints"] = endpoints(target)
    if as_json:
        show.document(found)
        return
    show.table(f"Queues of {target.name}", QUEUES, found["queues"])
    show.table("Functions", FUNCTIONS, found["functions"])
    if target.has_key:
        show.table("Endpoints in trouble", ENDPOINTS, found["endpoints"])
    else:
        click.echo("Endpoints in trouble: put a key of the workspace into FUNNELHOOKS_API_KEY.")


def queues(target: CommandTarget) -> list[dict[str, Any]]:
    """A row for each queue with its dead letters. Fanout, which reads a stream, has no queue."""
    known, unknown = target.queues(), QueueState()
    read = {name.removesuffix("DeadLetters").removesuffix("Queue") for name in known}
    return [
        {
            "queue": name.lower(),
            **known.get(f"{name}Queue", unknown)._asdict(),
            "dead_letters": known.get(f"{name}DeadLetters", unknown).waiting,
        }
        for name in sorted(read)
    ]


def functions(target: CommandTarget) -> list[dict[str, Any]]:
    return [found._asdict() for found in target.functions()]


def endpoints(target: CommandTarget) -> list[dict[str, Any]]:
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


def _tripped(target: CommandTarget, config_ids: list[str]) -> dict[str, str | None]:
    """The configs whose breaker is open, and since when their endpoints fail."""
    if target.workspace_id is None or not config_ids:
        return {}
    wanted = {
        tuple(health_key(target.workspace_id, config_id).items()): config_id
        for config_id in config_ids
    }
    found = target.config_items(map(dict, wanted))
    open_now = [(item, as_model(EndpointHealth, item)) for item in found]
    return {
        wanted[(("pk", item["pk"]), ("sk", item["sk"]))]: _moment(health.failing_since)
        for item, health in open_now
        if health.opened
    }


def _moment(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)
