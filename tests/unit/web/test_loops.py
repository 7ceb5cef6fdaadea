import uuid

import pytest

from shared import ids
from shared.errors import LoopError
from shared.version import FLOWESTATE_AGENT, USER_AGENT
from shared.web import loops

OURS = str(ids.request_id(ids.event_key("w", "e"), "crm"))


@pytest.mark.parametrize("agent", [USER_AGENT, FLOWESTATE_AGENT])
def test_a_delivery_of_ours_is_refused_with_the_way_out(agent: str) -> None:
    with pytest.raises(LoopError, match="Change the URL of its webhook config"):
        loops.refuse({"user-agent": agent, "webhook-id": OURS})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"user-agent": USER_AGENT},
        {"webhook-id": OURS},
        {"user-agent": "curl/8", "webhook-id": OURS},
        {"user-agent": USER_AGENT, "webhook-id": ""},
        {"user-agent": USER_AGENT, "webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"},
        {"user-agent": USER_AGENT, "webhook-id": str(uuid.uuid4())},
        {"user-agent": USER_AGENT, "webhook-id": OURS.upper()},
        {"user-agent": USER_AGENT, "webhook-id": f"{{{OURS}}}"},
    ],
)
def test_any_other_request_may_come_in(headers: dict[str, str]) -> None:
    loops.refuse(headers)
