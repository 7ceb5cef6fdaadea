"""A test event: what is sent, and what is answered."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from shared.attempts import test_event
from shared.attempts.test_event import TEST_HEADER, EventTest, EventTestState
from shared.configs.models import Status, WebhookConfig
from shared.errors import ConflictError, InvalidError
from shared.outbound.response import Cause, Response, Timings
from shared.workspaces.models import Workspace
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW


class FakeSender:
    """Answers with one status code, and remembers what it was to send."""

    def __init__(self, status_code: int | None = 200) -> None:
        self.sent = list[tuple[str, Mapping[str, str], bytes]]()
        self._status_code = status_code

    def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: int) -> Response:
        self.sent.append((url, headers, body))
        return Response(
            status_code=self._status_code,
            cause=None if self._status_code else Cause.CONNECT,
            detail="",
            address=None,
            retry_after=None,
            excerpt="",
            timings=Timings(total=1),
        )


def send(
    config: WebhookConfig, event_type: str = "on_action", sender: FakeSender | None = None
) -> EventTest:
    workspace = Workspace(workspace_id=WORKSPACE, name="Acme", created_at=NOW)
    used: Any = sender or FakeSender()
    return test_event.send(config, workspace, event_type, used, lambda: NOW)


class TestATestEvent:
    def test_is_sent_as_a_delivery_is_and_says_that_it_is_a_test(self) -> None:
        sender = FakeSender()

        send(factories.config(), sender=sender)

        ((url, headers, body),) = sender.sent
        assert url == "https://hooks.example.com/in"
        assert headers[TEST_HEADER] == "true"
        assert headers["webhook-signature"].startswith("v1,")
        assert json.loads(body)["event_type"] == "on_action"

    def test_shows_what_was_sent_without_its_secrets(self) -> None:
        sender = FakeSender()

        shown = send(factories.config(), sender=sender).request

        assert shown.body.encode() == sender.sent[0][2]
        assert "v1," not in shown.headers["webhook-signature"]

    @pytest.mark.parametrize(
        ("status_code", "state", "cause"),
        [
            (204, EventTestState.DELIVERED, None),
            (500, EventTestState.FAILED, Cause.HTTP_STATUS),
            (None, EventTestState.FAILED, Cause.CONNECT),
        ],
    )
    def test_tells_its_outcome(
        self, status_code: int | None, state: EventTestState, cause: Cause | None
    ) -> None:
        result = send(factories.config(), sender=FakeSender(status_code))

        assert (result.state, result.status_code, result.cause) == (state, status_code, cause)

    @pytest.mark.parametrize("changes", [{"enabled": False}, {"status": Status.ARCHIVED}])
    def test_goes_to_a_config_that_receives_nothing(self, changes: dict[str, Any]) -> None:
        assert send(factories.config(**changes)).state is EventTestState.DELIVERED

    def test_does_not_go_to_a_deleted_config(self) -> None:
        sender = FakeSender()

        with pytest.raises(ConflictError, match="deleted"):
            send(factories.config(status=Status.DELETED), sender=sender)

        assert sender.sent == []

    def test_is_of_a_type_that_the_dialect_can_express(self) -> None:
        with pytest.raises(InvalidError) as refusal:
            send(factories.config(), event_type="contact.created")

        assert refusal.value.fields[0].path == "event_type"
