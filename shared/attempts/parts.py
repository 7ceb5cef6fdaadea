"""What reads and changes deliveries, made once for the process; it sends nothing."""

from functools import cache

from shared import settings
from shared.attempts.reader import AttemptReader
from shared.aws import clients
from shared.deliveries.ledger import Ledger
from shared.deliveries.queue import Queue
from shared.endpoints.store import HealthStore
from shared.events.store import EventStore


@cache
def env() -> settings.Settings:
    return settings.load()


@cache
def retry_queue() -> Queue:
    return Queue(clients.sqs(), env().retry_queue_url)


@cache
def ledger() -> Ledger:
    return Ledger(clients.event_table(), env().retention_days, env().repair_after_s)


@cache
def reader() -> AttemptReader:
    return AttemptReader(clients.config_table(), clients.event_table())


@cache
def health() -> HealthStore:
    events = EventStore(clients.event_table(), env().retention_days, env().repair_after_s)
    return HealthStore(clients.config_table(), events)
