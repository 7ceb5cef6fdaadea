"""The systems whose webhooks are sent, by the name that a config has."""

from shared.dialects.clickfunnels import ClickFunnels, ClickFunnelsV1
from shared.dialects.dialect import Dialect, Rendered
from shared.dialects.flowestate import FlowEstate
from shared.dialects.funnelflux import FunnelFlux

__all__ = ["DIALECTS", "Dialect", "Rendered"]

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (FunnelFlux(), FlowEstate(), ClickFunnels(), ClickFunnelsV1())
}
