"""A receiver that says back what it was sent: nothing secret of it is stored or shown."""

import json

from tests.integration.world import World
from tests.local.raw_server import echoes

SECRETS = ("correct-horse-battery", "k3y-0123456789")


def test_an_echo_is_kept_without_the_secrets_of_the_config(world: World) -> None:
    with echoes(str) as server:
        world.make_config(
            server.url("/in"),
            headers={"X-Api-Key": SECRETS[1], "X-Plain": "for everybody"},
            basicAuth={"username": "alice", "password": SECRETS[0]},
        )

        event_id = world.deliver()

    (attempt,) = world.delivery(event_id)["attempts"]
    assert "X-Plain: for everybody" in attempt["response_excerpt"]
    stored = json.dumps(world.items("EventTable"), default=str)
    assert not [secret for secret in SECRETS if secret in stored or secret in str(attempt)]
