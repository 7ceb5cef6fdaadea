import base64
import uuid
from typing import cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from shared import ids
from shared.errors import ForbiddenError, LoopError, RateLimitedError, UnauthenticatedError
from shared.remembered import MAX_REMEMBERED
from shared.version import FLOWESTATE_AGENT, USER_AGENT
from shared.web.authentication import Authenticated, IngestAuthenticator, Keyring, refuse_loop
from shared.web.rate_limits import EventRateLimiter
from shared.workspaces.models import ApiKey, Caller, Limits, Scope
from shared.workspaces.store import WorkspaceStore
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import FakeClock, FakeKeyStore

SECRET = "fh_secret"
DELIVERY = str(ids.request_id(ids.event_key("w", "e"), "crm"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> FakeKeyStore:
    return FakeKeyStore({SECRET: factories.api_key()})


@pytest.fixture
def keyring(store: FakeKeyStore, clock: FakeClock) -> Keyring:
    return Keyring(cast(WorkspaceStore, store), clock)


def bearer(keyring: Keyring, authorization: str, scope: Scope = Scope.EVENTS_WRITE) -> Caller:
    return keyring.bearer({"authorization": authorization}, scope)


def funnelytics(keyring: Keyring, api_key: str, project: str = WORKSPACE) -> Caller:
    headers = {"x-api-key": api_key, "x-project-id": project}
    return keyring.funnelytics(headers, Scope.EVENTS_WRITE)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


class TestABearerKey:
    @pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
    def test_says_whose_request_it_is(self, keyring: Keyring, kind: str) -> None:
        assert bearer(keyring, f"{kind} {SECRET}").workspace_id == WORKSPACE

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", SECRET, f"Basic {SECRET}"])
    def test_must_be_sent_as_one(self, keyring: Keyring, header: str) -> None:
        with pytest.raises(UnauthenticatedError, match="as Authorization: Bearer <key>"):
            bearer(keyring, header)

    def test_must_be_sent_at_all(self, keyring: Keyring) -> None:
        with pytest.raises(UnauthenticatedError):
            keyring.bearer({}, Scope.EVENTS_WRITE)

    def test_must_be_known(self, keyring: Keyring) -> None:
        with pytest.raises(UnauthenticatedError, match="not known, not active or expired"):
            bearer(keyring, "Bearer fh_other")

    def test_may_do_what_its_scopes_say_and_no_more(
        self, keyring: Keyring, store: FakeKeyStore
    ) -> None:
        store.keys[SECRET] = factories.api_key(Scope.EVENTS_READ)

        bearer(keyring, f"Bearer {SECRET}", Scope.EVENTS_READ)

        with pytest.raises(ForbiddenError, match=r"lacks the scope events:write\."):
            bearer(keyring, f"Bearer {SECRET}", Scope.EVENTS_WRITE)

    def test_of_absurd_length_is_not_looked_up(self, keyring: Keyring, store: FakeKeyStore) -> None:
        with pytest.raises(UnauthenticatedError):
            bearer(keyring, "Bearer " + "x" * 513)

        assert store.reads == 0


def admit(keyring: Keyring, authorization: str) -> Authenticated[Caller]:
    return keyring.admit(factories.http_request(authorization=authorization), Scope.CONFIGS_READ)


class TestAManagementCall:
    def test_says_who_calls_and_how_often_it_may(self, keyring: Keyring) -> None:
        admission = keyring.admit(
            factories.http_request(authorization=f"Bearer {SECRET}"), Scope.CONFIGS_READ
        )

        assert admission.caller.key.id == "key_1"
        assert admission.caller.workspace.name == "Acme"
        assert admission.headers == {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "999"}

    def test_over_the_limit_is_refused(self, clock: FakeClock) -> None:
        store = FakeKeyStore({SECRET: factories.api_key()}, Limits(requests_per_minute=1))
        keyring = Keyring(cast(WorkspaceStore, store), clock)
        admit(keyring, f"Bearer {SECRET}")

        with pytest.raises(RateLimitedError, match="More than 1 requests a minute"):
            keyring.admit(
                factories.http_request(authorization=f"Bearer {SECRET}"), Scope.CONFIGS_READ
            )

    def test_that_is_refused_for_its_key_does_not_count(
        self, keyring: Keyring, store: FakeKeyStore
    ) -> None:
        with pytest.raises(UnauthenticatedError):
            keyring.admit(
                factories.http_request(authorization="Bearer fh_other"), Scope.CONFIGS_READ
            )

        assert store.calls == {}


class TestAFunnelyticsKey:
    @pytest.mark.parametrize(
        "header", [SECRET, basic(f"{WORKSPACE}:{SECRET}"), basic(f":{SECRET}")]
    )
    def test_is_sent_raw_or_as_basic(self, keyring: Keyring, header: str) -> None:
        assert funnelytics(keyring, header).workspace_id == WORKSPACE

    def test_opens_its_own_project_only(self, keyring: Keyring) -> None:
        with pytest.raises(UnauthenticatedError, match="not known"):
            funnelytics(keyring, SECRET, project="another")

    @pytest.mark.parametrize(
        ("api_key", "project"), [("", WORKSPACE), (SECRET, ""), (" ", WORKSPACE), (SECRET, " ")]
    )
    def test_comes_with_its_project(self, keyring: Keyring, api_key: str, project: str) -> None:
        with pytest.raises(UnauthenticatedError, match="both X-PROJECT-ID and X-API-KEY"):
            funnelytics(keyring, api_key, project)

    def test_that_names_another_project_is_refused(self, keyring: Keyring) -> None:
        with pytest.raises(UnauthenticatedError):
            funnelytics(keyring, basic(f"another:{SECRET}"))

    @pytest.mark.parametrize("encoded", ["***", "é", "/w==", "", base64.b64encode(b"x").decode()])
    def test_that_is_broken_basic_is_refused(self, keyring: Keyring, encoded: str) -> None:
        with pytest.raises(UnauthenticatedError):
            funnelytics(keyring, f"Basic {encoded}")


class TestAKeyring:
    def test_remembers_a_key_for_30_seconds(
        self, keyring: Keyring, store: FakeKeyStore, clock: FakeClock
    ) -> None:
        bearer(keyring, f"Bearer {SECRET}")
        clock.advance(29.999)
        bearer(keyring, f"Bearer {SECRET}")

        assert store.reads == 1

        clock.advance(0.001)
        bearer(keyring, f"Bearer {SECRET}")

        assert store.reads == 2

    @pytest.mark.parametrize("revoked", [None, factories.api_key(active=False)])
    def test_refuses_a_revoked_key_within_60_seconds(
        self, keyring: Keyring, store: FakeKeyStore, clock: FakeClock, revoked: ApiKey | None
    ) -> None:
        bearer(keyring, f"Bearer {SECRET}")
        store.keys = {} if revoked is None else {SECRET: revoked}

        clock.advance(60)

        with pytest.raises(UnauthenticatedError):
            bearer(keyring, f"Bearer {SECRET}")

    def test_refuses_a_remembered_key_from_the_moment_it_expires(
        self, keyring: Keyring, store: FakeKeyStore, clock: FakeClock
    ) -> None:
        store.keys[SECRET] = factories.api_key(key_expires_at=clock() + 5_000)
        bearer(keyring, f"Bearer {SECRET}")

        clock.advance(5)

        with pytest.raises(UnauthenticatedError):
            bearer(keyring, f"Bearer {SECRET}")

    def test_asks_again_for_a_key_that_was_unknown(
        self, keyring: Keyring, store: FakeKeyStore
    ) -> None:
        with pytest.raises(UnauthenticatedError):
            bearer(keyring, "Bearer fh_new")

        store.keys["fh_new"] = factories.api_key()

        assert bearer(keyring, "Bearer fh_new").workspace_id == WORKSPACE

    def test_forgets_before_it_grows_without_end(
        self, keyring: Keyring, store: FakeKeyStore
    ) -> None:
        store.keys |= {f"fh_{number}": factories.api_key() for number in range(MAX_REMEMBERED)}
        bearer(keyring, f"Bearer {SECRET}")

        for number in range(MAX_REMEMBERED):
            bearer(keyring, f"Bearer fh_{number}")
        bearer(keyring, f"Bearer {SECRET}")

        assert store.reads == MAX_REMEMBERED + 2

    def test_asks_every_time_for_a_key_that_hands_out_keys(
        self, keyring: Keyring, store: FakeKeyStore
    ) -> None:
        bearer(keyring, f"Bearer {SECRET}", Scope.KEYS_MANAGE)
        store.keys[SECRET] = factories.api_key(active=False)

        with pytest.raises(UnauthenticatedError):
            bearer(keyring, f"Bearer {SECRET}", Scope.KEYS_MANAGE)

    def test_forgets_a_key_that_it_has_found_revoked(
        self, keyring: Keyring, store: FakeKeyStore
    ) -> None:
        bearer(keyring, f"Bearer {SECRET}")
        store.keys = {}
        with pytest.raises(UnauthenticatedError):
            bearer(keyring, f"Bearer {SECRET}", Scope.KEYS_MANAGE)

        with pytest.raises(UnauthenticatedError):
            bearer(keyring, f"Bearer {SECRET}")

    def test_knows_no_key_of_a_workspace_that_is_gone(
        self, keyring: Keyring, store: FakeKeyStore
    ) -> None:
        store.keys[SECRET] = factories.api_key(workspace_id="gone")

        with pytest.raises(UnauthenticatedError):
            bearer(keyring, f"Bearer {SECRET}")


class TestTheLastUse:
    def test_is_recorded_once_a_minute(
        self, keyring: Keyring, store: FakeKeyStore, clock: FakeClock
    ) -> None:
        started = clock()

        for _ in range(121):
            bearer(keyring, f"Bearer {SECRET}")
            clock.advance(1)

        assert store.uses == [started, started + 60_000, started + 120_000]

    def test_that_another_worker_recorded_is_enough(
        self, keyring: Keyring, store: FakeKeyStore, clock: FakeClock
    ) -> None:
        store.keys[SECRET] = factories.api_key(last_used_at=clock() - 59_999)
        bearer(keyring, f"Bearer {SECRET}")
        assert store.uses == []

        clock.advance(0.001)
        bearer(keyring, f"Bearer {SECRET}")

        assert store.uses == [clock()]

    @pytest.mark.parametrize(
        "fault",
        [
            ClientError(
                {"Error": {"Code": "ProvisionedThroughputExceededException"}}, "UpdateItem"
            ),
            ConnectTimeoutError(endpoint_url="https://dynamodb"),
        ],
    )
    def test_that_cannot_be_recorded_refuses_nobody(
        self, keyring: Keyring, store: FakeKeyStore, fault: Exception
    ) -> None:
        store.fault = fault

        bearer(keyring, f"Bearer {SECRET}")
        bearer(keyring, f"Bearer {SECRET}")

        assert len(store.uses) == 1

    def test_is_none_for_a_key_that_is_refused(self, keyring: Keyring, store: FakeKeyStore) -> None:
        store.keys[SECRET] = factories.api_key(active=False)

        with pytest.raises(UnauthenticatedError):
            bearer(keyring, f"Bearer {SECRET}")

        assert store.uses == []


class TestIngest:
    @pytest.fixture
    def events(self, clock: FakeClock) -> EventRateLimiter:
        return EventRateLimiter(clock)

    def test_lets_in_who_is_known_and_says_how_many_more_may_come(
        self, events: EventRateLimiter
    ) -> None:
        caller = factories.caller(events_per_second=10)
        gate = IngestAuthenticator(lambda headers, scope: caller, events)

        admission = gate.admit(factories.http_request(), Scope.EVENTS_WRITE)

        assert admission.caller == caller
        assert admission.headers == {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "19"}

    def test_asks_who_it_is_first(self, events: EventRateLimiter) -> None:
        def nobody(*_: object) -> Caller:
            raise UnauthenticatedError("Who?")

        with pytest.raises(UnauthenticatedError):
            IngestAuthenticator(nobody, events).admit(factories.http_request(), Scope.EVENTS_WRITE)


@pytest.mark.parametrize("agent", [USER_AGENT, FLOWESTATE_AGENT])
def test_a_delivery_of_ours_is_refused_with_the_way_out(agent: str) -> None:
    with pytest.raises(LoopError, match="Change the URL of its webhook config"):
        refuse_loop({"user-agent": agent, "webhook-id": DELIVERY})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"user-agent": USER_AGENT},
        {"webhook-id": DELIVERY},
        {"user-agent": "curl/8", "webhook-id": DELIVERY},
        {"user-agent": USER_AGENT, "webhook-id": ""},
        {"user-agent": USER_AGENT, "webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"},
        {"user-agent": USER_AGENT, "webhook-id": str(uuid.uuid4())},
        {"user-agent": USER_AGENT, "webhook-id": DELIVERY.upper()},
        {"user-agent": USER_AGENT, "webhook-id": f"{{{DELIVERY}}}"},
    ],
)
def test_any_other_request_may_come_in(headers: dict[str, str]) -> None:
    refuse_loop(headers)
