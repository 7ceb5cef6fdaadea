"""Signed links: what they hold, and who is let in with one."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.actions import links
from shared.actions.authenticator import ActionAuthenticator
from shared.actions.models import Action, Follower, Link
from shared.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
)
from shared.web.authentication import Authenticated
from shared.web.rate_limits import EventRateLimiter
from shared.workspaces.models import Caller, Scope, Workspace
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW, FakeClock

SECRET = "fhl_made-up"
ACTION = Action(funnel_id="f", node_id="n", action_number=1)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(st.characters(codec="utf-8"), max_size=9)
)


def token(link: Link | None = None, action: Action = ACTION, **changes: Any) -> str:
    signed = {"workspace_id": WORKSPACE, "secret": SECRET} | changes
    url = links.url("https://api.example", action, link or Link(), **signed)
    return parse_qs(urlsplit(url).query)["flux_link"][0]


class TestALink:
    def test_is_an_address_that_names_its_workspace(self) -> None:
        url = links.url("https://api.example", ACTION, Link(), WORKSPACE, SECRET)

        assert url.startswith(f"https://api.example/v1/actions/f/n/1?flux_link={WORKSPACE}.")

    @given(
        st.builds(
            Link,
            expires_at=st.none() | st.integers(NOW + 1, NOW + 10**9),
            redirect=st.none() | st.just("https://a.example/"),
            fields=st.dictionaries(st.text(st.characters(codec="utf-8")), SCALARS, max_size=5),
        )
    )
    def test_opens_to_what_it_was_made_of(self, link: Link) -> None:
        assert links.SignedLink(token(link)).open(ACTION.path, SECRET, NOW) == link

    def test_that_would_be_too_long_is_refused(self) -> None:
        with pytest.raises(InvalidError, match="the limit is 4096") as error:
            token(Link(fields={"note": "x" * 4000}))

        assert error.value.fields[0].path == "params"

    def test_holds_until_its_expiry(self) -> None:
        signed = links.SignedLink(token(Link(expires_at=NOW)))

        signed.open(ACTION.path, SECRET, NOW - 1)
        with pytest.raises(ForbiddenError):
            signed.open(ACTION.path, SECRET, NOW)


class FakeWorkspaces:
    def __init__(self) -> None:
        self.known = {WORKSPACE: factories.workspace(link_secret=SECRET)}
        self.reads = 0

    def get(self, workspace_id: str) -> Workspace:
        self.reads += 1
        if workspace_id not in self.known:
            raise NotFoundError("unknown")
        return self.known[workspace_id]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def workspaces() -> FakeWorkspaces:
    return FakeWorkspaces()


@pytest.fixture
def gate(workspaces: FakeWorkspaces, clock: FakeClock) -> ActionAuthenticator:
    def bearer(headers: Any, scope: Scope) -> Caller:
        if "authorization" not in headers:
            raise UnauthenticatedError("Send your API key.")
        return factories.caller(scope)

    return ActionAuthenticator(bearer, workspaces.get, EventRateLimiter(clock), clock)


def admit(gate: ActionAuthenticator, link: str, path: str = ACTION.path) -> Authenticated[Follower]:
    return gate.admit(factories.http_request(path, f"a=1&flux_link={link}&b=2"), Scope.EVENTS_WRITE)


def test_who_has_a_key_is_let_in_without_a_link(gate: ActionAuthenticator) -> None:
    request = factories.http_request(ACTION.path, authorization="Bearer fh_1")

    admission = gate.admit(request, Scope.EVENTS_WRITE)

    assert admission.caller == Follower(workspace=factories.caller().workspace)
    assert admission.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in admission.headers


def test_who_has_neither_is_asked_for_a_key(gate: ActionAuthenticator) -> None:
    with pytest.raises(UnauthenticatedError):
        gate.admit(factories.http_request(ACTION.path), Scope.EVENTS_WRITE)


def test_who_has_a_link_is_let_in_and_a_page_may_read_the_answer(gate: ActionAuthenticator) -> None:
    admission = admit(gate, token(Link(fields={"a": 1})))

    assert admission.caller.link == Link(fields={"a": 1})
    assert admission.caller.workspace.workspace_id == WORKSPACE
    assert admission.headers == {
        "Cache-Control": "no-store",
        "Access-Control-Allow-Origin": "*",
        "X-RateLimit-Limit": "1000",
        "X-RateLimit-Remaining": "1999",
    }


def changed(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


FORGED = {
    "nothing": "",
    "no link": "x",
    "a changed workspace": changed(token(), 0),
    "a changed claim": changed(token(), len(WORKSPACE) + 1),
    "a changed signature": changed(token(), -43 + len(token())),
    "a short signature": token()[:-1],
    "another secret": token(secret="fhl_other"),
    "another action": token(action=ACTION.model_copy(update={"action_number": 2})),
    "an unknown workspace": token(workspace_id="unknown"),
    "a long workspace": token(workspace_id="x" * 65),
    "a workspace of other letters": "W%23x.e30." + "A" * 43,
    "an expired link": token(Link(expires_at=NOW - 1)),
    "two links": f"{token()}&flux_link={token()}",
    "letters beyond ASCII": token()[:-1] + "%C3%BC",
}


@pytest.mark.parametrize("link", FORGED.values(), ids=FORGED.keys())
def test_every_other_link_gets_one_answer(gate: ActionAuthenticator, link: str) -> None:
    with pytest.raises(ForbiddenError) as refusal:
        admit(gate, link)

    assert refusal.value.message == links.refused().message


@given(st.integers(min_value=0, max_value=len(token()) - 1), st.characters(codec="ascii"))
def test_no_changed_letter_is_let_in(at: int, letter: str) -> None:
    text = token()
    if text[at] == letter:
        return

    with pytest.raises(ForbiddenError):
        links.SignedLink(text[:at] + letter + text[at + 1 :]).open(ACTION.path, "x" + SECRET, NOW)
    with pytest.raises(ForbiddenError):
        links.SignedLink(text[:at] + letter + text[at + 1 :]).open(ACTION.path, SECRET, NOW)


def test_a_link_of_a_workspace_that_has_made_none_is_refused(
    gate: ActionAuthenticator, workspaces: FakeWorkspaces
) -> None:
    workspaces.known[WORKSPACE] = factories.workspace()

    with pytest.raises(ForbiddenError):
        admit(gate, token(secret=""))


def test_an_escaped_path_is_the_same_path(gate: ActionAuthenticator) -> None:
    assert admit(gate, token(), "/v1/actions/%66/n/1").caller.link == Link()


class TestARememberedWorkspace:
    def test_costs_no_read_for_30_seconds(
        self, gate: ActionAuthenticator, workspaces: FakeWorkspaces, clock: FakeClock
    ) -> None:
        admit(gate, token())
        clock.advance(29)
        admit(gate, token())
        assert workspaces.reads == 1

        clock.advance(1)
        admit(gate, token())
        assert workspaces.reads == 2

    def test_forgets_a_replaced_secret_by_then(
        self, gate: ActionAuthenticator, workspaces: FakeWorkspaces, clock: FakeClock
    ) -> None:
        admit(gate, token())
        workspaces.known[WORKSPACE] = factories.workspace(link_secret="fhl_new")
        clock.advance(30)

        with pytest.raises(ForbiddenError):
            admit(gate, token())

    def test_learns_of_a_new_secret_at_once(
        self, gate: ActionAuthenticator, workspaces: FakeWorkspaces
    ) -> None:
        admit(gate, token())
        workspaces.known[WORKSPACE] = factories.workspace(link_secret="fhl_new")

        assert admit(gate, token(secret="fhl_new"))

    def test_is_none_that_is_unknown(
        self, gate: ActionAuthenticator, workspaces: FakeWorkspaces
    ) -> None:
        for _ in range(2):
            with pytest.raises(ForbiddenError):
                admit(gate, token(workspace_id="unknown"))

        assert workspaces.reads == 2

    def test_is_one_of_a_thousand_at_most(
        self, gate: ActionAuthenticator, workspaces: FakeWorkspaces
    ) -> None:
        for number in range(1001):
            name = f"w-{number}"
            workspaces.known[name] = factories.workspace(workspace_id=name, link_secret=SECRET)
            admit(gate, token(workspace_id=name))

        admit(gate, token(workspace_id="w-0"))
        assert workspaces.reads == 1002


def test_links_take_from_the_rate_of_their_workspace(
    workspaces: FakeWorkspaces, gate: ActionAuthenticator
) -> None:
    limits = {"events_per_second": 1}
    workspaces.known[WORKSPACE] = factories.workspace(link_secret=SECRET, limits=limits)
    admit(gate, token())
    admit(gate, token())

    with pytest.raises(RateLimitedError, match="More than 1 events a second"):
        admit(gate, token())


def test_a_link_that_is_refused_takes_nothing(
    workspaces: FakeWorkspaces, gate: ActionAuthenticator
) -> None:
    for _ in range(5):
        with pytest.raises(ForbiddenError):
            admit(gate, token(secret="fhl_other"))

    assert admit(gate, token()).headers["X-RateLimit-Remaining"] == "1999"
