"""`webhook_outbound_payload_v1`: all that a receiver in the FunnelFlux dialect may be sent.

Never imported by a function: what was accepted is of the contract already, and is sent as it is.
Source: FunnelFlux Pro, "Webhook Payloads" (schema_version 1.0).
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.events.context import Millis, Scalars
from shared.events.models import TrackingContext
from shared.model import Model


class Head(Model):
    """What every payload begins with."""

    schema_version: Literal["1.0"]
    event_type: str
    request_id: Annotated[
        UUID,
        Field(description="Names this delivery at all its attempts, and nothing that happened."),
    ]
    timestamp: Annotated[
        Millis, Field(description="When the payload was built: Unix time in milliseconds, UTC.")
    ]


class OutboundPayload(TrackingContext, Head):
    action_data: Annotated[
        Scalars | None,
        Field(
            description="What the action carried, and where it came from; empty if it was nothing.",
            json_schema_extra={"minProperties": 0},
        ),
    ] = None
