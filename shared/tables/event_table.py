"""The keys and attribute names of EventTable.

    pk                      sk              what                                 indexes
    W#<workspace>#E#<key>   EVENT           an event                             log, visitor, state
                                                                                 (late ones), wake
                            D#<request id>  a delivery of it, with its attempts  all but visitor
                            B#<request id>  the body that the delivery sends
    W#<workspace>#V#<key>   VISITOR         a visitor, or the id of another visitor
    W#<workspace>#M#<key>   EMAIL           the visitor id of an e-mail address
    W#<workspace>#A#<hash>  ACTION          an action that was accepted in the last 24 hours
    ACTIVE#<shard>          <marker>        activity marker: a workspace stored events

The keys of visitors and e-mail addresses are hashes: no key holds an address (docs/privacy.md).

`wake` is the due index. A delivery is in it only while it waits, an event only if repair could not
read it (docs/decisions/0004-repair.md).
"""

import uuid
from zlib import crc32

from shared import ids

EVENT_SK = "EVENT"
DELIVERY_PREFIX = "D#"
# Of the due index, and of activity markers.
SHARDS = 8
WAKE_SHARDS = tuple(f"WAKE#{shard}" for shard in range(SHARDS))
ACTIVE_SHARDS = tuple(f"ACTIVE#{shard}" for shard in range(SHARDS))


def partition(workspace_id: str, event_key: str) -> str:
    return f"W#{workspace_id}#E#{event_key}"


def event_key_of(pk: str) -> str:
    return pk.split("#")[3]


def delivery_sk(request_id: uuid.UUID) -> str:
    return f"{DELIVERY_PREFIX}{request_id}"


def body_sk(request_id: uuid.UUID) -> str:
    return f"B#{request_id}"


def delivery_key(workspace_id: str, request_id: uuid.UUID) -> dict[str, str]:
    return {
        "pk": partition(workspace_id, ids.event_key_of(request_id)),
        "sk": delivery_sk(request_id),
    }


def body_key(workspace_id: str, request_id: uuid.UUID) -> dict[str, str]:
    return {"pk": partition(workspace_id, ids.event_key_of(request_id)), "sk": body_sk(request_id)}


def visitor(workspace_id: str, key: str) -> dict[str, str]:
    return {"pk": visitor_partition(workspace_id, key), "sk": "VISITOR"}


def visitor_partition(workspace_id: str, key: str) -> str:
    """The partition of the visitor's entry, and of the visitor's events in the index `visitor`."""
    return f"W#{workspace_id}#V#{key}"


def email(workspace_id: str, key: str) -> dict[str, str]:
    return {"pk": f"W#{workspace_id}#M#{key}", "sk": "EMAIL"}


def action(workspace_id: str, digest: str) -> dict[str, str]:
    return {"pk": f"W#{workspace_id}#A#{digest}", "sk": "ACTION"}


def event_log(workspace_id: str) -> str:
    return f"W#{workspace_id}#EVENTS"


def delivery_log(workspace_id: str, config_id: str) -> str:
    return f"W#{workspace_id}#C#{config_id}"


def state_log(workspace_id: str, config_id: str, state: str) -> str:
    return f"W#{workspace_id}#C#{config_id}#{state}"


def late_log(workspace_id: str) -> str:
    """Events whose contents have expired while deliveries of them are still to be sent."""
    return f"W#{workspace_id}#LATE"


def replay_log(workspace_id: str, replay_id: str) -> str:
    """The deliveries of a replay that are not delivered."""
    return f"W#{workspace_id}#R#{replay_id}"


def log_sk(at_ms: int, unique: str) -> str:
    """Sorts by time: 15 digits of milliseconds last until the year 33658."""
    return f"{at_ms:015d}#{unique}"


def marker_sk(since: int, until: int, workspace_id: str) -> str:
    """Sorts by the end of the marker's time."""
    return f"{until:015d}#{since:015d}#{workspace_id}"


def wake_shard(unique: str) -> str:
    return WAKE_SHARDS[_shard(unique)]


def active_shard(workspace_id: str) -> str:
    return ACTIVE_SHARDS[_shard(workspace_id)]


def _shard(unique: str) -> int:
    return crc32(unique.encode()) % SHARDS
