"""Three systems' receivers, each of which knows its own documents only, and one engine."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from unittest.mock import patch

import pytest

from shared.events import catalogue
from shared.events.models import TriggerType
from shared.version import FLOWESTATE_AGENT
from tests import factories
from tests.integration.test_clickfunnels_api import created as new_endpoint
from tests.integration.test_clickfunnels_api import endpoints_of, update, wrapped
from tests.integration.test_flowestate_api import key_of, subscribed
from tests.integration.world import World
from tests.local.receiver import Judge, Receiver
from tests.receivers.clickfunnels import ClickFunnelsReceiver
from tests.receivers.flowestate import FlowEstateReceiver
from tests.receivers.funnelflux import FunnelFluxReceiver

MINUTE, HOUR = 60, 3_600
EVERY = [{"eventType": "*"}]


class Systems:
    """A config for each dialect, at a server of that system."""

    def __init__(self, world: World, receiver: Receiver) -> None:
        key = {"X-Key": "right"}
        world.make_config(receiver.url("/ff"), "ff", headers=key)
        fe = world.make_config(receiver.url("/fe"), "fe", dialect="flowestate")
        cf = world.make_config(receiver.url("/cf"), "cf", dialect="clickfunnels")
        self.funnelflux = FunnelFluxReceiver("X-Key", "right")
        self.flowestate = FlowEstateReceiver(fe)
        self.clickfunnels = ClickFunnelsReceiver(cf, lambda: world.clock() / 1000)

    @property
    def receivers(self) -> dict[str, Any]:
        return {"/ff": self.funnelflux, "/fe": self.flowestate, "/cf": self.clickfunnels}


@pytest.fixture
def systems(world: World, receiver: Receiver) -> Systems:
    systems = Systems(world, receiver)
    for path, one in systems.receivers.items():
        receiver.judge(path, one.receive)
    return systems


def send_resource(world: World, event_type: str = "order.created", **changes: Any) -> str:
    """All the way to its first attempts."""
    reply = world.call("POST", "/v1/events", factories.resource_json(event_type, **changes))
    assert reply.status == 202, reply
    world.fan_out()
    world.work("DispatchQueue")
    return str(reply.body["event_id"])


def forgetful(judge: Judge) -> Judge:
    """It has done its work when it fails: its first answer is lost."""
    answered = list[int]()

    def receive(headers: Mapping[str, str], body: bytes) -> int:
        answered.append(judge(headers, body))
        return 500 if len(answered) == 1 else answered[-1]

    return receive


class TestEveryDialect:
    @pytest.mark.parametrize("event_type", TriggerType)
    def test_says_a_tracking_event_to_the_letter_of_its_system(
        self, world: World, systems: Systems, event_type: str
    ) -> None:
        event_id = world.deliver(event_type=event_type)

        assert [world.state(event_id, one) for one in ("ff", "fe", "cf")] == ["delivered"] * 3
        (flux,), (estate,), (click,) = [one.events for one in systems.receivers.values()]
        context = {k: v for k, v in flux.items() if k in estate["data"]}
        assert estate["data"] == click["data"] == context
        assert estate["id"] == f"evt_{click['event_id']}"

    def test_is_taken_once_when_an_answer_was_lost(
        self, world: World, receiver: Receiver, systems: Systems
    ) -> None:
        for path, one in systems.receivers.items():
            receiver.judge(path, forgetful(one.receive))

        event_id = world.deliver()
        world.wait(1)
        world.wait(MINUTE - 1)

        assert [world.state(event_id, one) for one in ("ff", "fe", "cf")] == ["delivered"] * 3
        for path, one in systems.receivers.items():
            first, second = receiver.requests(path)
            assert (len(one.events), one.repeats) == (1, 1)
            assert first.body == second.body

    def test_is_refused_with_another_body_secret_or_time(
        self, world: World, receiver: Receiver, systems: Systems
    ) -> None:
        world.deliver()
        (estate,), (click,) = receiver.requests("/fe"), receiver.requests("/cf")
        now_s = world.clock() / 1000

        def late(seconds: float) -> ClickFunnelsReceiver:
            return ClickFunnelsReceiver(systems.clickfunnels._secret, lambda: now_s + seconds)

        assert systems.flowestate.receive(estate.headers, estate.body + b" ") == 401
        assert FlowEstateReceiver("00" * 32).receive(estate.headers, estate.body) == 401
        assert systems.clickfunnels.receive(click.headers, click.body + b" ") == 404
        assert late(600).receive(click.headers, click.body) == 201
        assert late(601).receive(click.headers, click.body) == 404
        assert late(-601).receive(click.headers, click.body) == 404

    @pytest.mark.parametrize(
        ("status", "flowestate", "clickfunnels"),
        [
            (200, "delivered", "delivered"),
            (207, "delivered", "delivered"),
            (208, "delivered", "waiting"),
            (226, "delivered", "delivered"),
            (299, "delivered", "waiting"),
            (302, "waiting", "waiting"),
            (404, "waiting", "waiting"),
        ],
    )
    def test_judges_a_status_by_itself(
        self, world: World, receiver: Receiver, status: int, flowestate: str, clickfunnels: str
    ) -> None:
        receiver.script("/", [status], repeat=True)
        Systems(world, receiver)

        event_id = world.deliver()

        states = [world.state(event_id, config_id) for config_id in ("ff", "fe", "cf")]
        assert states == [flowestate, flowestate, clickfunnels]

    def test_is_known_when_it_comes_straight_back(
        self, world: World, receiver: Receiver, systems: Systems
    ) -> None:
        world.deliver()

        agents = set()
        for path in systems.receivers:
            headers = dict(receiver.requests(path)[0].headers)
            agents.add(headers["User-Agent"])
            reply = world.call("POST", "/v1/events", factories.event_json(), headers=headers)
            assert (reply.status, reply.body["error"]["code"]) == (410, "loop")
        assert FLOWESTATE_AGENT in agents


class TestASchedule:
    @pytest.mark.parametrize(
        ("dialect", "waits"),
        [
            (
                "clickfunnels",
                [1, 15, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 12 * HOUR, 24 * HOUR],
            ),
            ("flowestate", [MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 24 * HOUR]),
        ],
    )
    @pytest.mark.parametrize(("random", "factor"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
    def test_is_kept_row_by_row(
        self,
        world: World,
        receiver: Receiver,
        dialect: str,
        waits: list[int],
        random: float,
        factor: float,
    ) -> None:
        receiver.script("/in", [500], repeat=True)
        world.make_config(receiver.url("/in"), dialect=dialect)
        with patch("shared.attempts.wiring.random", lambda: random):
            event_id = world.deliver()
            for number, row in enumerate(waits, 1):
                wait = row if row < MINUTE else row * factor
                due = world.delivery(event_id)["next_attempt_at"]
                moment = datetime.fromisoformat(due).timestamp() * 1000
                assert round(moment - world.clock()) == round(wait * 1000)

                pass_over(world, wait, event_id)

                assert len(receiver.requests()) == number + 1

        shown = world.delivery(event_id)
        assert (shown["state"], shown["attempt"]) == ("failed", len(waits) + 1)


def pass_over(world: World, wait: float, event_id: str) -> None:
    """Until the attempt is due; one that waits long is put into the queue by the sweep."""
    tries = len(world.delivery(event_id)["attempts"])
    if wait > 15 * MINUTE:
        world.clock.advance(wait - 10 * MINUTE)
        world.sweep()
        wait = 10 * MINUTE
    world.wait(wait - 0.001)
    assert len(world.delivery(event_id)["attempts"]) == tries
    world.wait(0.001)


class TestWhatAConfigWants:
    def test_is_all_types_without_event_type_ids(self, world: World, receiver: Receiver) -> None:
        new_endpoint(
            world,
            url=receiver.url("/all"),
            event_type_ids=[],
            page_ids=None,
            funnel_ids=None,
        )

        for event_type in ("order.created", "lead.created", "my.own"):
            send_resource(world, event_type)
        world.deliver()

        types = [json.loads(r.body)["event_type"] for r in receiver.requests("/all")]
        assert types == ["order.created", "lead.created", "my.own", "node_execution"]

    def test_is_what_happened_on_its_pages_and_in_its_funnels(
        self, world: World, receiver: Receiver
    ) -> None:
        url = receiver.url("/some")
        new_endpoint(world, url=url, event_type_ids=[], page_ids=[7, 8], funnel_ids=[3])

        for page, funnel in ((7, 3), (8, 3), (9, 3), (7, 4)):
            send_resource(world, page_id=page, funnel_id=funnel)
        send_resource(world)

        places = [json.loads(request.body)["page_id"] for request in receiver.requests("/some")]
        assert places == [7, 8]

    def test_may_be_more_types_than_are_listed_one_by_one_and_fewer_again(
        self, world: World, receiver: Receiver
    ) -> None:
        names = [entry.name for entry in catalogue.ENTRIES][:60]
        made = new_endpoint(
            world,
            url=receiver.url("/many"),
            event_type_ids=names,
            page_ids=None,
            funnel_ids=None,
        )

        send_resource(world, "lead.created")
        send_resource(world, "my.own")
        update(world, made["id"], event_type_ids=["order.created"])
        send_resource(world, "lead.created")
        send_resource(world, "order.created")
        update(world, made["id"], event_type_ids=names)
        send_resource(world, "lead.created")

        assert made["event_type_ids"] == names
        types = [json.loads(request.body)["event_type"] for request in receiver.requests("/many")]
        assert types == ["lead.created", "order.created", "lead.created"]

    @pytest.mark.parametrize(("before", "after"), [(["lead.created"], []), ([], ["lead.created"])])
    def test_is_sent_what_was_on_its_way_when_it_went_to_another_list(
        self, world: World, receiver: Receiver, before: list[str], after: list[str]
    ) -> None:
        anywhere = {"page_ids": None, "funnel_ids": None}
        url = receiver.url("/in")
        made = new_endpoint(world, url=url, event_type_ids=before, **anywhere)
        world.clock.advance(1)
        world.call("POST", "/v1/events", factories.resource_json("lead.created"))
        world.clock.advance(1)

        update(world, made["id"], event_type_ids=after)
        world.fan_out()
        world.work("DispatchQueue")

        assert len(receiver.requests("/in")) == 1

    def test_must_be_what_its_dialect_can_say(self, world: World) -> None:
        for triggers in ([{"eventType": "order.created"}], EVERY):
            saved = factories.config_json(triggers=triggers)
            reply = world.call("POST", "/v1/webhookconfig/save", saved)

            assert reply.status == 400
            assert reply.body["error"]["fields"][0]["path"] == "triggers.0.eventType"
            assert "which has node_execution, on_action" in reply.body["error"]["message"]

    @pytest.mark.parametrize("api", ["flowestate", "clickfunnels"])
    def test_may_be_told_of_the_platform_itself_when_named(
        self, world: World, receiver: Receiver, api: str
    ) -> None:
        url, named = receiver.url("/ops"), "webhook_config.disabled"
        if api == "flowestate":
            subscribed(world, key_of(world, "make"), target_url=url, event=named)
        else:
            new_endpoint(world, url=url, event_type_ids=[named], page_ids=None, funnel_ids=None)
        receiver.script("/in", [410])
        world.make_config(receiver.url("/in"))
        world.deliver()

        world.fan_out()
        world.work("DispatchQueue")

        (told,) = receiver.requests("/ops")
        assert json.loads(told.body)["data"]["config_id"] == "crm"

    def test_has_a_size(self, world: World) -> None:
        pages = [f"{number:0128}" for number in range(500)]
        fields = {"url": "https://a.example.com", "name": "Big", "page_ids": pages}
        names = [entry.name for entry in catalogue.ENTRIES]

        reply = world.call("POST", endpoints_of(world), wrapped(**fields, event_type_ids=names))

        assert reply.status == 400
        assert "too large" in reply.body["error"]
        assert world.call("POST", endpoints_of(world), wrapped(**fields)).status == 201


class TestADialect:
    def test_stays_that_of_the_config(self, world: World) -> None:
        world.make_config("https://a.example.com", dialect="flowestate")

        saved = factories.config_json(dialect="clickfunnels")
        reply = world.call("PUT", "/v1/webhookconfig/save", saved)

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"] == "dialect"

    def test_must_be_known(self, world: World) -> None:
        saved = factories.config_json(dialect="morse")
        reply = world.call("POST", "/v1/webhookconfig/save", saved)

        assert reply.status == 400
        assert "is none of funnelflux, flowestate" in reply.body["error"]["message"]

    @pytest.mark.parametrize(
        "name", ["X-FlowEstate-Event", "x-webhook-clickfunnels-id", "X-Funnelflux-Extra"]
    )
    def test_sets_its_own_headers_and_no_config_does(self, world: World, name: str) -> None:
        saved = factories.config_json(headers={name: "mine"})
        reply = world.call("POST", "/v1/webhookconfig/save", saved)

        assert reply.status == 400
        assert "set by the platform" in reply.body["error"]["message"]

    @pytest.mark.parametrize("source", ["ui", "api", "system"])
    def test_tells_the_source_in_a_header(
        self, world: World, receiver: Receiver, source: str
    ) -> None:
        world.make_config(receiver.url("/fe"), "fe", dialect="flowestate")

        send_resource(world, "lead.created", source=source)

        (request,) = receiver.requests("/fe")
        assert request.headers["X-FlowEstate-Source"] == source

    @pytest.mark.parametrize("source", ["", "API", "ui\r\nX-Evil: 1", "x" * 10_000, 7, ["ui"]])
    def test_knows_three_sources(self, world: World, source: Any) -> None:
        reply = world.call("POST", "/v1/events", factories.resource_json(source=source))

        assert reply.status == 400
