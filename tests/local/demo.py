"""The main job on real input: `python -m tests.local.demo [standalone | ministack]`.

The standalone program is started if it does not run; the local stack is up already.

Webhook configs are made, events sent and deliveries read through the API alone, as a client does
it. One receiver fails twice before it succeeds, one is not there at all, and one event goes out in
the dialects of three systems.
"""

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.local import standalone
from tests.local.demo_api import Answer, Api
from tests.local.demo_check import Config, Expected, Result
from tests.local.demo_samples import FORM_NODE, SAMPLES, Json, Sample, webhook_config
from tests.local.demo_show import Place, Screen
from tests.local.demo_watch import Watch
from tests.local.errors import LocalStackError
from tests.local.receiver import Receiver
from tests.local.stack import Stack, state_folder
from tests.local.standalone import Standalone

PREFIX = "demo-"
# The discard port, which no ordinary program may open: nobody will ever listen there.
NOWHERE = "http://127.0.0.1:9/dead"


def main() -> int:
    screen = Screen()
    try:
        where = sys.argv[1] if len(sys.argv) > 1 else "standalone"
        return run(_target(where), screen, Place(where))
    except LocalStackError as error:
        print(error.explain(), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Interrupted. What runs is left running; `make down` stops it.", file=sys.stderr)
        return 130


def _target(where: str) -> Stack | Standalone:
    if where == Place.MINISTACK:
        return Stack.load()
    state = state_folder()
    return standalone.running(state) or standalone.start(state)


def run(target: Stack | Standalone, screen: Screen, place: Place) -> int:
    api, run_id = Api(target), secrets.token_hex(3)
    with Receiver() as receiver, _configs(api, screen, receiver, run_id) as configs:
        expected = _send_all(api, screen, configs, run_id)
        results = Watch(api, screen, receiver, configs, expected).results()
        return _conclude(api, screen, results, place)


@contextmanager
def _configs(
    api: Api, screen: Screen, receiver: Receiver, run_id: str
) -> Iterator[Sequence[Config]]:
    """One that has failures to show outlives its run, so that they can be looked at; the next
    run deletes it."""
    screen.heading(f"Webhook configs; the receiver is at {receiver.url()}")
    _delete_earlier(api, screen)
    made: list[Config] = []
    try:
        for wanted in _wanted(receiver, run_id):
            made.append(_make(api, screen, wanted))
            receiver.script(f"/{wanted.name}", wanted.answers)
        yield made
    finally:
        for config in made:
            if config.state == "delivered":
                api.delete_config(config.id)


def _delete_earlier(api: Api, screen: Screen) -> None:
    for config_id in api.active_config_ids():
        if config_id.startswith(PREFIX):
            api.delete_config(config_id)
            screen.line(f"deleted {config_id}, which an earlier run has left")


def _wanted(receiver: Receiver, run_id: str) -> tuple[Config, ...]:
    """Each is the curl example's JSON with another id and URL; all but one want one event only."""

    def values(name: str, url: str, **more: Any) -> Json:
        return webhook_config() | {"idWebhookConfig": f"{PREFIX}{run_id}-{name}", "url": url} | more

    form = [{"eventType": "on_action", "idNode": FORM_NODE}]
    crm = values("crm", receiver.url("/crm"))
    flaky = values("flaky", receiver.url("/flaky"), triggers=form, retrySchedule=[1, 2, 60])
    dead = values("dead", NOWHERE, triggers=form)
    node = [{"eventType": "node_execution"}]
    estate = values("estate", receiver.url("/estate"), triggers=node, dialect="flowestate")
    clicks = values("clicks", receiver.url("/clicks"), triggers=node, dialect="clickfunnels")
    return (
        Config("crm", "every event, and the receiver answers 200", crm),
        Config("flaky", "on_action, answered 500, 500, 200", flaky, answers=(500, 500, 200)),
        Config("estate", "node_execution, as FlowEstate says it", estate),
        Config("clicks", "node_execution, as ClickFunnels says it", clicks),
        Config("dead", "on_action, to a port where nobody listens", dead, state="waiting"),
    )


def _make(api: Api, screen: Screen, wanted: Config) -> Config:
    answer = api.save_config(wanted.values)
    screen.call(answer, f"{wanted.name}: {wanted.about}")
    return replace(wanted, secret=answer.values["secret"])


def _send_all(api: Api, screen: Screen, configs: Sequence[Config], run_id: str) -> list[Expected]:
    screen.heading("Events")
    expected: list[Expected] = []
    for sample in SAMPLES:
        event_id = f"{PREFIX}{run_id}-{sample.name}"
        answer = _send(api, sample, event_id)
        screen.call(answer, sample.title)
        expected += [
            Expected(config, sample, outcome, None if sample.action else event_id, answer.at)
            for outcome in sample.outcomes
            for config in configs
            if config.wants(outcome.event_type)
        ]
    return expected


def _send(api: Api, sample: Sample, event_id: str) -> Answer:
    """The id, or for Funnelytics the moment, tells the event from that of an earlier run."""
    if sample.action is None:
        return api.send_event(event_id, sample.body())
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return api.send_action(sample.action, sample.json() | {"dateTime": now})


def _conclude(api: Api, screen: Screen, results: Sequence[Result], place: Place) -> int:
    screen.results(results)
    waiting = [
        (result.expected, api.delivery(result.delivery.request_id))
        for result in results
        if result.delivery is not None and result.delivery.state == "waiting"
    ]
    for expected, delivery in waiting:
        screen.failing(expected, delivery, datetime.now(UTC))
    if not screen.judge(results):
        screen.way_out(place)
        return 1
    screen.next_steps(place, waiting[0][1].request_id)
    return 0


if __name__ == "__main__":
    sys.exit(main())
