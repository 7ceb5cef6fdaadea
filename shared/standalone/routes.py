"""Which function answers a request: by the routes of the template's HTTP API."""

import re
from functools import lru_cache
from typing import NamedTuple

from shared.standalone.engine.template import Template
from shared.standalone.functions import stage_of

_TARGET = re.compile(r"integrations/\$\{(\w+)Integration\}")


class Route(NamedTuple):
    method: str
    pattern: re.Pattern[str]
    length: int  # of the part of the path that is spelled out
    stage: str


class Routes:
    def __init__(self, template: Template) -> None:
        declared = template.of_type("AWS::ApiGatewayV2::Route").values()
        self._routes = [_route(one["RouteKey"], one["Target"]["Fn::Sub"]) for one in declared]
        self.stage_of = lru_cache(maxsize=1_000)(self._stage_of)

    def _stage_of(self, method: str, path: str) -> str | None:
        """The route that spells out most of the path wins, and there a method before ANY."""
        best: tuple[int, bool] = (-1, False)
        found = None
        for route in self._routes:
            is_its = route.method in (method, "ANY", "$default") and route.pattern.fullmatch(path)
            if is_its and (rank := (route.length, route.method == method)) > best:
                best, found = rank, route.stage
        return found


def _route(key: str, target: str) -> Route:
    method, _, path = key.partition(" ")
    regex = re.escape(path).replace(r"\{proxy\+\}", ".*")
    regex = re.sub(r"\\{\w+\\}", "[^/]+", regex) or ".*"
    integration = _TARGET.fullmatch(target)
    if integration is None:
        raise ValueError(f"The route {key!r} of the template leads to {target!r}, no integration.")
    stage = stage_of(integration[1])
    return Route(method, re.compile(regex), len(path.partition("{")[0]), stage)
