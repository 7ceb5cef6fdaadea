"""What a run of repair is made of."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import settings
from shared.aws import clients
from shared.clock import now_ms
from shared.configs.store import ConfigStore
from shared.deliveries.fanout import remembering
from shared.deliveries.queue import Queue
from shared.jobs import JobStore
from shared.repair.due_index import DueIndex
from shared.repair.event_scan import EventScan
from shared.repair.sweeper import Sweeper


def sweeper(context: LambdaContext) -> Sweeper:
    env = settings.load()
    configs, events = clients.config_table(), clients.event_table()
    return Sweeper(
        due_index=DueIndex(events, env.retention_days, env.repair_after_s),
        event_scan=EventScan(configs, events, env.repair_after_s, now_ms),
        jobs=JobStore(configs),
        queue=Queue(clients.sqs(), settings.resource("RETRY_QUEUE_URL")),
        ask=remembering(ConfigStore(configs)),
        clock=now_ms,
        remaining_ms=context.get_remaining_time_in_millis,
    )
