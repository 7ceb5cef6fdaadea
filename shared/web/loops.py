"""A config whose URL is an intake of ours would send every event round for ever.

Such a request is a delivery as we send it; one that somebody else makes of a delivery is not.
"""

from collections.abc import Mapping

from shared import ids
from shared.errors import LoopError
from shared.version import USER_AGENTS


def refuse(headers: Mapping[str, str]) -> None:
    """Raises LoopError if the request comes straight from an attempt, of this stack or another."""
    if headers.get("user-agent") in USER_AGENTS and ids.is_request_id(
        headers.get("webhook-id", "")
    ):
        raise LoopError(
            "This is a delivery of Funnelhooks, sent straight to an intake of Funnelhooks. Change "
            "the URL of its webhook config to a server of yours. To make an event of a delivery, "
            "let that server send a request of its own."
        )
