"""The objects that `fanout` is made of."""

from functools import cache

from shared import settings
from shared.aws import clients
from shared.aws.dead_letters import DeadLetters
from shared.clock import now_ms
from shared.configs.store import ConfigStore
from shared.deliveries.fanout import Fanout
from shared.deliveries.queue import Queue
from shared.events.operational import Bus


@cache
def fanout() -> Fanout:
    return Fanout(
        ConfigStore(clients.config_table()),
        Queue(clients.sqs(), settings.resource("DISPATCH_QUEUE_URL")),
        Bus(clients.events, settings.resource("EVENT_BUS")),
        DeadLetters(clients.sqs(), settings.resource("DEAD_LETTERS_URL"), now_ms),
    )
