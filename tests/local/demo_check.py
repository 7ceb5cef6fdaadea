"""What the demo expects, and what of it came true: values in, sentences out."""

import base64
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from standardwebhooks import WebhookVerificationError

from tests.local.demo_api import Delivery
from tests.local.demo_samples import Json, Outcome, Sample
from tests.local.receiver import Judge, Received, verify_standard_webhook
from tests.receivers.clickfunnels import ClickFunnelsReceiver
from tests.receivers.flowestate import FlowEstateReceiver
from tests.receivers.funnelflux import FunnelFluxReceiver

# In every dialect.
REQUEST_ID = "webhook-id"
FUNNELFLUX = "funnelflux"
MADE_ANEW = ("request_id", "timestamp")


@dataclass(frozen=True)
class Config:
    """A webhook config as it is saved, how its receiver answers, and how its deliveries end up."""

    name: str
    about: str
    values: Json
    answers: tuple[int, ...] = (200,)
    state: str = "delivered"
    secret: str = ""

    @property
    def id(self) -> str:
        return str(self.values["idWebhookConfig"])

    @property
    def dialect(self) -> str:
        return str(self.values.get("dialect", FUNNELFLUX))

    def wants(self, event_type: str) -> bool:
        triggers = self.values.get("triggers", ())
        return not triggers or event_type in [trigger["eventType"] for trigger in triggers]


@dataclass(frozen=True)
class Expected:
    """A delivery; `event_id` is None where the API tells none, and the facts must do."""

    config: Config
    sample: Sample
    outcome: Outcome
    event_id: str | None
    accepted_at: float

    def __str__(self) -> str:
        return f"{self.outcome.event_type} → {self.config.name} ({self.sample.title})"


@dataclass(frozen=True)
class Result:
    """An expected delivery as far as it came; times are those of `time.monotonic`."""

    expected: Expected
    delivery: Delivery | None
    received: tuple[Received, ...]

    @property
    def is_there(self) -> bool:
        return self.delivery is not None and self.delivery.state == self.expected.config.state

    @property
    def wait_ms(self) -> int | None:
        """From the 202 of the event to the request that was answered with success."""
        if not self.received or not self.is_there:
            return None
        return round((self.received[-1].monotonic - self.expected.accepted_at) * 1000)


def match(
    expected: Iterable[Expected],
    deliveries: Mapping[str, Sequence[Delivery]],
    received: Iterable[Received],
) -> list[Result]:
    """`deliveries` by the id of their config."""
    by_request = _by_request(received)
    return [_result(one, deliveries.get(one.config.id, ()), by_request) for one in expected]


def verified(request: Received, config: Config) -> bool:
    try:
        verify_standard_webhook(request, config.secret)
    except WebhookVerificationError:
        return False
    return True


def event_type(request: Received) -> str:
    """As its system writes it."""
    values = body(request)
    return str(values.get("event_type") or values.get("type"))


def differing(sent: Json, came: Json) -> list[str]:
    """The names of what did not come out as it went in, to the letter."""
    names = sorted((sent.keys() | came.keys()) - set(MADE_ANEW))
    return [
        name
        for name in names
        if (name in sent) != (name in came) or _text(sent.get(name)) != _text(came.get(name))
    ]


def missing(results: Sequence[Result]) -> list[str]:
    return [f"{r.expected}: {_how_far(r)}" for r in results if not r.is_there]


def badly_signed(results: Sequence[Result]) -> list[str]:
    return [
        f"{result.expected}: the signature of request {number} is wrong"
        for result in results
        for number, request in enumerate(result.received, 1)
        if not verified(request, result.expected.config)
    ]


def altered(results: Sequence[Result]) -> list[str]:
    """Native events that did not come out as the JSON that went in."""
    found = [
        (result, differing(result.expected.sample.json(), body(result.received[-1])))
        for result in _native(results)
    ]
    return [f"{result.expected}: {', '.join(names)} differ" for result, names in found if names]


def wrongly_headed(results: Sequence[Result]) -> list[str]:
    return [
        f"{result.expected}: {name} is {request.headers.get(name)!r}, not {value!r}"
        for result in results
        if result.expected.config.dialect == FUNNELFLUX
        for request in result.received
        for name, value in _headers(result.expected, request).items()
        if request.headers.get(name) != value
    ]


def refused(results: Sequence[Result]) -> list[str]:
    """Requests that a receiver of the config's system, written from its documents, refuses."""
    return [
        f"{result.expected}: a receiver of {result.expected.config.dialect} answers {status}"
        for result in results
        for request in result.received
        if (status := _judge(result.expected.config, request)(request.headers, request.body)) >= 300
    ]


def miscounted(results: Sequence[Result]) -> list[str]:
    """Webhooks that came too often, or with other bytes at a later attempt."""
    return [
        f"{result.expected}: {len(result.received)} requests, {bodies} different bodies"
        for result in results
        if result.is_there and result.received
        if (bodies := len({request.body for request in result.received})) != 1
        or len(result.received) != len(result.expected.config.answers)
    ]


# What the demo claims, and what speaks against it.
CLAIMS: tuple[tuple[str, Callable[[Sequence[Result]], list[str]]], ...] = (
    ("Every webhook arrived, and the one to nobody waits for its next attempt.", missing),
    (
        "The standardwebhooks library verified the signatures of all {requests} requests.",
        badly_signed,
    ),
    (
        "{events} webhooks of FunnelFlux events came out as exactly the JSON that went in, apart "
        "from request_id and timestamp.",
        altered,
    ),
    (
        "All requests of FunnelFlux carried the three X-Funnelflux headers, and their config's own "
        "header and Basic auth.",
        wrongly_headed,
    ),
    (
        "One event came in the dialects of {dialects}; a receiver of each system, written from its "
        "documents, took every request.",
        refused,
    ),
    (
        "Each webhook was sent once; the one that met 500 twice, three times, with the same bytes.",
        miscounted,
    ),
)


def counted(results: Sequence[Result]) -> dict[str, int | str]:
    """The numbers and names in the claims."""
    return {
        "requests": sum(len(result.received) for result in results),
        "events": len(_native(results)),
        "dialects": ", ".join(dict.fromkeys(r.expected.config.dialect for r in results)),
    }


def body(request: Received) -> Json:
    values: Json = json.loads(request.body)
    return values


def _native(results: Sequence[Result]) -> list[Result]:
    """FunnelFlux's events in FunnelFlux's words."""
    ours = [r for r in results if r.expected.config.dialect == FUNNELFLUX]
    return [r for r in ours if r.expected.event_id is not None and r.received]


def _judge(config: Config, request: Received) -> Judge:
    """A receiver of the config's system, at the moment when the request came."""
    if config.dialect == "flowestate":
        return FlowEstateReceiver(config.secret).receive
    if config.dialect == "clickfunnels":
        return ClickFunnelsReceiver(config.secret, lambda: request.received_at).receive
    ((header, value),) = config.values["headers"].items()
    return FunnelFluxReceiver(header, value).receive


def _by_request(received: Iterable[Received]) -> dict[str, tuple[Received, ...]]:
    requests = defaultdict[str, tuple[Received, ...]](tuple)
    for request in received:
        requests[request.headers.get(REQUEST_ID, "")] += (request,)
    return requests


def _result(
    expected: Expected,
    deliveries: Sequence[Delivery],
    by_request: Mapping[str, tuple[Received, ...]],
) -> Result:
    for delivery in deliveries:
        received = by_request.get(delivery.request_id, ())
        if _is_meant(expected, delivery, received):
            return Result(expected, delivery, received)
    return Result(expected, None, ())


def _is_meant(expected: Expected, delivery: Delivery, received: Sequence[Received]) -> bool:
    if expected.event_id is not None:
        return delivery.event_id == expected.event_id
    return bool(received) and _has_facts(body(received[0]), expected.outcome)


def _has_facts(came: Json, outcome: Outcome) -> bool:
    extension = came.get("conversion") or came.get("custom_event") or {}
    return (
        came.get("event_type") == outcome.event_type
        and outcome.facts.items() <= _scalars(extension).items()
    )


def _scalars(values: Json) -> Json:
    return {name: value for name, value in values.items() if not isinstance(value, dict | list)}


def _headers(expected: Expected, request: Received) -> dict[str, str]:
    basic = expected.config.values["basicAuth"]
    pair = f"{basic['username']}:{basic['password']}".encode()
    return {
        "X-Funnelflux-Payload-Schema": "webhook_outbound_payload_v1",
        "X-Funnelflux-Trigger-Type": expected.outcome.event_type,
        "X-Funnelflux-Request-ID": str(body(request).get("request_id")),
        "Authorization": f"Basic {base64.b64encode(pair).decode()}",
        **expected.config.values["headers"],
    }


def _how_far(result: Result) -> str:
    if result.delivery is None:
        return "did not arrive"
    return (
        f"is {result.delivery.state} after {result.delivery.attempt} attempts, "
        f"not {result.expected.config.state} (request id {result.delivery.request_id})"
    )


def _text(value: Any) -> str:
    """Tells 1 from true and from 1.0, which Python's == does not."""
    return json.dumps(value, sort_keys=True)
