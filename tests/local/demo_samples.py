"""What the demo sends: the files `events/payload_*.json`, and what is to arrive for each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "events"
COMMERCE = "__commerce_action__"

Json = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """A webhook that is to arrive; `facts` are found in its conversion or custom event."""

    event_type: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """An event, or with an `action` a payload for Funnelytics' address."""

    name: str
    title: str
    outcomes: tuple[Outcome, ...]
    action: str | None = None

    def body(self) -> bytes:
        return (FOLDER / f"payload_{self.name}.json").read_bytes()

    def json(self) -> Json:
        values: Json = json.loads(self.body())
        return values


def _custom_event(**facts: str) -> Outcome:
    return Outcome("custom_event_triggered", facts)


def _conversion(**facts: str) -> Outcome:
    return Outcome("conversion_triggered", facts)


# The node of payload_on_action.json.
FORM_NODE = "node_form"

SAMPLES = (
    Sample("node_execution", "“In-Flow Webhook Node”", (Outcome("node_execution"),)),
    Sample("conversion", "“Conversion Webhook”", (Outcome("conversion_triggered"),)),
    Sample("custom_event", "“Custom Event Webhook”", (Outcome("custom_event_triggered"),)),
    Sample("on_action", "an action form is submitted", (Outcome("on_action"),)),
    Sample(
        "lead",
        "a lead",
        (_custom_event(event_data1="Lead", pii_email="alex@example.com"),),
        action="Lead",
    ),
    Sample(
        "purchase",
        "a purchase of one item",
        (_conversion(transaction="123456", revenue="300000.00", event_data1="LAMBO007"),),
        action=COMMERCE,
    ),
    Sample(
        "purchases",
        "a purchase of two items",
        (
            _conversion(transaction="Order 123456", revenue="300000.00", event_data1="LAMBO007"),
            _conversion(transaction="Order 654321", revenue="600000.00", event_data1="LAMBO008"),
        ),
        action=COMMERCE,
    ),
)
# The payloads that FunnelFlux publishes.
PUBLISHED = SAMPLES[:3]


def webhook_config() -> Json:
    """The body of the curl example of “Create webhook config”."""
    config: Json = json.loads((FOLDER / "payload_webhook_config.json").read_bytes())
    return config
