"""The sweep and its relay, put together."""

from collections.abc import Callable

from shared import settings
from shared.attempts.wiring import retry_queue
from shared.aws import clients
from shared.clock import now_ms
from shared.configs.store import ConfigStore
from shared.deliveries.fanout import remembering
from shared.jobs import JobStore
from shared.repair.due_index import DueIndex
from shared.repair.event_scan import EventScan
from shared.repair.relay import Relay
from shared.repair.sweeper import Sweeper

# Of the batches of retries that run at a time, a tenth may have shards of what is due, and a tenth
# shards of events.
SHARE = 10


def relay(has_time: Callable[[], bool]) -> Relay:
    env = settings.load()
    sweep = Sweeper(
        wake=DueIndex(clients.event_table(), env.retention_days, env.repair_after_s),
        unseen=EventScan(clients.config_table(), clients.event_table(), env.repair_after_s, now_ms),
        queue=retry_queue(),
        ask=remembering(ConfigStore(clients.config_table())),
        clock=now_ms,
        has_time=has_time,
    )
    return Relay(
        sweep=sweep,
        job_store=JobStore(clients.config_table()),
        queue=retry_queue(),
        clock=now_ms,
        lanes=env.retry_concurrency // SHARE,
    )
