"""What the engine relies on, whichever dialect it speaks."""

import json
from base64 import b64decode
from uuid import UUID

import pytest

from shared.attempts.request import SECRET_PREFIX
from shared.dialects import DIALECTS
from shared.dialects.dialect import Dialect
from shared.events import accept
from shared.events.models import Event, TriggerType
from shared.version import USER_AGENTS
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

REQUEST = UUID("afa7f540-76d9-4bfe-a18d-4bc4d690ea56")
EACH = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))


def event(event_type: str = "on_action") -> Event:
    return accept.identify(accept.read(factories.event_json(event_type)), WORKSPACE, NOW, "event-1")


def own_headers(dialect: Dialect) -> dict[str, str]:
    rendered = dialect.render(event(), factories.workspace(), REQUEST, NOW)
    return {**rendered.headers, **dialect.signature("secret", rendered.body, NOW // 1000)}


def test_is_registered_under_its_name() -> None:
    assert {name: dialect.name for name, dialect in DIALECTS.items()} == {n: n for n in DIALECTS}


@EACH
def test_says_the_same_twice(dialect: Dialect) -> None:
    first, second = (
        dialect.render(event(), factories.workspace(), REQUEST, NOW + 5) for _ in range(2)
    )

    assert first == second
    assert isinstance(json.loads(first.body), dict)


@EACH
def test_names_its_headers_by_its_prefix_and_its_agent_to_the_loop_guard(dialect: Dialect) -> None:
    headers = own_headers(dialect)

    agent = headers.pop("User-Agent", None)
    assert agent is None or agent in USER_AGENTS
    assert dialect.header_prefix == dialect.header_prefix.lower()
    assert all(name.lower().startswith(dialect.header_prefix) for name in headers)


@EACH
def test_can_say_what_funnelflux_says(dialect: Dialect) -> None:
    assert all(dialect.can_express(kind) for kind in TriggerType)


@EACH
def test_takes_no_failure_for_success(dialect: Dialect) -> None:
    successes = [status for status in range(100, 600) if dialect.is_success(status)]

    assert 200 in successes
    assert set(successes) <= set(range(200, 300))


@EACH
def test_tries_again_within_a_week(dialect: Dialect) -> None:
    assert all(0 < wait <= 86_400 for wait in dialect.schedule)
    assert sum(dialect.schedule) <= 7 * 86_400


@EACH
def test_makes_secrets_that_are_long_and_never_the_same(dialect: Dialect) -> None:
    secrets = {dialect.new_secret() for _ in range(10)}

    assert len(secrets) == 10
    assert all(
        len(b64decode(one.removeprefix(SECRET_PREFIX), validate=True)) >= 24 for one in secrets
    )
