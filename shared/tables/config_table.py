"""The keys of ConfigTable.

pk                          sk               what
W#<workspace>               WORKSPACE        a workspace
                            CONFIG#<id>      a webhook config of it
                            APIKEY#<id>      the hash under which its API key is
                            CATEGORY#<id>    a category of its configs
                            EVENTTYPE#<name> an event type of its own
W#<workspace>#T#<type>      <config id>      a config that wants events of this type; `*`: of any
W#<workspace>#L#<listing>   <position>#<id>  a config in a list of another system's API
W#<workspace>#X#<listing>   <claim>          a value that only one config of the list may have
W#<workspace>#C#<config>    HEALTH           the health of the config's endpoint, if it has failed
                            BUCKET           the state of its rate limiter
W#<workspace>#REPLAYS       <replay id>      a replay and its cursor
                            #ACTIVE          the number of replays that have not ended
KEY#<sha256 of the secret>  KEY              an API key
RATE#<key id>               <minute>         the number of management calls of the key
SWEEP                       <shard>          the cursor of the event scan in a shard
JOBS                        <job id>         a job that is not done, and its cursor
"""

WORKSPACE_SK = "WORKSPACE"
API_KEY_SK = "KEY"
CONFIG_PREFIX = "CONFIG#"
API_KEY_PREFIX = "APIKEY#"
CATEGORY_PREFIX = "CATEGORY#"
EVENT_TYPE_PREFIX = "EVENTTYPE#"
SWEEP = "SWEEP"
JOBS = "JOBS"
HEALTH_SK = "HEALTH"
BUCKET_SK = "BUCKET"


def workspace(workspace_id: str) -> str:
    return f"W#{workspace_id}"


def workspace_key(workspace_id: str) -> dict[str, str]:
    return {"pk": workspace(workspace_id), "sk": WORKSPACE_SK}


def config_key(workspace_id: str, config_id: str) -> dict[str, str]:
    return {"pk": workspace(workspace_id), "sk": CONFIG_PREFIX + config_id}


def health_key(workspace_id: str, config_id: str) -> dict[str, str]:
    return {"pk": endpoint(workspace_id, config_id), "sk": HEALTH_SK}


def category_sk(category_id: str) -> str:
    return CATEGORY_PREFIX + category_id


def event_type_sk(name: str) -> str:
    return EVENT_TYPE_PREFIX + name


def endpoint(workspace_id: str, config_id: str) -> str:
    """A partition of its own, since its items are written as often as deliveries are sent."""
    return f"W#{workspace_id}#C#{config_id}"


def replays(workspace_id: str) -> str:
    return f"W#{workspace_id}#REPLAYS"


def triggers(workspace_id: str, event_type: str) -> str:
    return f"W#{workspace_id}#T#{event_type}"


def listing(workspace_id: str, name: str) -> str:
    return f"W#{workspace_id}#L#{name}"


def listing_sk(position: int, config_id: str = "") -> str:
    """Sorts by position. 16 digits hold every integer that a double holds exactly."""
    return f"{position:016d}#{config_id}"


def claims(workspace_id: str, listing_name: str) -> str:
    return f"W#{workspace_id}#X#{listing_name}"


def api_key(secret_sha256: str) -> str:
    return f"KEY#{secret_sha256}"


def api_key_sk(key_id: str) -> str:
    return API_KEY_PREFIX + key_id


def rate(key_id: str) -> str:
    return f"RATE#{key_id}"
