"""What the log says of what comes in: one line for each event, and for each refusal."""

from shared.errors import FunnelhooksError
from shared.metrics import ACCEPTED, DUPLICATES, FAULTS, REFUSED, measured
from shared.observability import fault, logger


def accepted(workspace_id: str, event_id: str, is_new: bool, origin: str | None = None) -> None:
    values = measured({ACCEPTED if is_new else DUPLICATES: 1})
    message = "event.accepted" if is_new else "event.repeated"
    ids = {"workspace_id": workspace_id, "event_id": event_id, "origin": origin}
    logger.info(message, extra=ids, **values)


def failed(workspace_id: str, error: Exception) -> None:
    """One of a batch at which we failed, which is answered by itself."""
    logger.error("event.failed", workspace_id=workspace_id, **fault(error), **measured({FAULTS: 1}))


def request_failed(error: Exception) -> None:
    """A request that is answered 500: to Lambda that is a success like any other."""
    logger.error("request.failed", **fault(error), **measured({FAULTS: 1}))


def refused(error: FunnelhooksError) -> None:
    """By its code alone: the message and the paths may quote what came in."""
    logger.info("refused", reason=error.code, **measured({REFUSED: 1}))
