"""Which function answers a request: by the routes of the template's HTTP API."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from shared.standalone.engine.template import Template
from shared.standalone.functions import stage_of

_TARGET = re.compile(r"integrations/\$\{(\w+)Integration\}")


class FoundRoute(NamedTuple):
    """`parameters` are the parts of the path that the route names, as they came."""

    key: str
    stage: str
    parameters: Mapping[str, str]


class Route(NamedTuple):
    key: str
    method: str
    pattern: re.Pattern[str]
    length: int  # of the part of the path that is spelled out
    stage: str


class Routes:
    def __init__(self, template: Template) -> None:
        declared = template.of_type("AWS::ApiGatewayV2::Route").values()
        self._routes = [_route(one["RouteKey"], one["Target"]["Fn::Sub"]) for one in declared]
        self.find = lru_cache(maxsize=1_000)(self._find)

    def _find(self, method: str, path: str) -> FoundRoute | None:
        """The route that spells out most of the path wins, and there a method before ANY."""
        best: tuple[int, bool] = (-1, False)
        found = None
        for route in self._routes:
            if route.method not in (method, "ANY", "$default"):
                continue
            match = route.pattern.fullmatch(path)
            if match and (rank := (route.length, route.method == method)) > best:
                best, found = rank, FoundRoute(route.key, route.stage, match.groupdict())
        return found


def _route(key: str, target: str) -> Route:
    method, _, path = key.partition(" ")
    regex = re.escape(path).replace(r"\{proxy\+\}", "(?P<proxy>.*)")
    regex = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", regex) or ".*"
    integration = _TARGET.fullmatch(target)
    if integration is None:
        raise ValueError(f"The route {key!r} of the template leads to {target!r}, no integration.")
    stage = stage_of(integration[1])
    return Route(key, method, re.compile(regex, re.DOTALL), len(path.partition("{")[0]), stage)
