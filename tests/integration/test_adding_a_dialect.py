"""The example of docs/adding-a-dialect.md does what it says, with nothing else changed."""

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest

from shared.dialects import DIALECTS
from tests import factories
from tests.integration.world import World
from tests.local.receiver import Receiver

DOCUMENT = Path(__file__).parents[2] / "docs" / "adding-a-dialect.md"


@pytest.fixture(autouse=True)
def acme(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    module: dict[str, Any] = {}
    exec(compile(code, str(DOCUMENT), "exec"), module)  # noqa: S102 -- the example is what is tested
    monkeypatch.setitem(DIALECTS, "acme", module["Acme"]())


def test_a_config_speaks_it(world: World, receiver: Receiver) -> None:
    receiver.script("/in", [201])
    wanted = [{"eventType": "contact.created"}]
    secret = world.make_config(receiver.url("/in"), dialect="acme", triggers=wanted)

    world.call("POST", "/v1/events", factories.resource_json(event_id="order-1"))
    world.deliver(event_id="another")
    world.work("DispatchQueue")
    world.wait(10)

    first, second = receiver.requests("/in")
    digest = hmac.new(secret.encode(), first.body, hashlib.sha256).digest()
    assert json.loads(first.body) == {
        "what": "contact.created",
        "when": "2026-04-29T18:04:15.000Z",
        "facts": factories.resource_json()["data"],
    }
    assert first.headers["X-Acme-Signature"] == base64.b64encode(digest).decode()
    assert first.headers["X-Acme-Id"] == world.request_id("order-1")
    assert (first.body, world.state("order-1")) == (second.body, "delivered")


def test_a_config_without_triggers_gets_everything(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"), dialect="acme")

    world.deliver()

    found = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="crm").body
    assert (found["dialect"], found["triggers"]) == ("acme", [{"eventType": "*"}])
    assert json.loads(receiver.requests("/in")[0].body)["what"] == "node_execution"


def test_its_headers_are_its_own(world: World) -> None:
    saved = factories.config_json(headers={"X-Acme-Id": "mine"})

    reply = world.call("POST", "/v1/webhookconfig/save", saved)

    assert reply.status == 400
