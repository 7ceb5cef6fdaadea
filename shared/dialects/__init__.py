"""The systems whose webhooks we speak, by the name that a config carries."""

from shared.dialects.dialect import Dialect
from shared.dialects.funnelflux import FunnelFlux

__all__ = ["DIALECTS", "Dialect"]

DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (FunnelFlux(),)}
