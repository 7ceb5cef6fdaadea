from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.api.validation import invalid
from shared.configs import funnelflux as wire
from shared.configs import rules
from shared.configs.models import WebhookConfig
from shared.errors import InvalidError
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(sorted(wire.WebhookConfig.model_fields))


def read(**changes: Any) -> wire.WebhookConfig:
    return wire.WebhookConfig.model_validate(factories.config_json(**changes))


def created(**changes: Any) -> WebhookConfig:
    return rules.created(read(**changes), WORKSPACE, NOW)


def refusal(**changes: Any) -> InvalidError:
    with pytest.raises(ValidationError) as caught:
        read(**changes)
    return invalid(caught.value)


class TestAField:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("idWebhookConfig", ""),
            ("idWebhookConfig", "a/b"),
            ("idWebhookConfig", "a" * 65),
            ("idWebhookConfig", "a\n"),
            ("webhookConfigName", ""),
            ("webhookConfigName", "n" * 257),
            ("description", "d" * 4097),
            ("idCategory", "a b"),
            ("status", "paused"),
            ("enabled", "maybe"),
            ("targetType", "slack"),
            ("url", "https://example.com/" + "u" * 2048),
            ("headers", {f"X-{number}": "1" for number in range(51)}),
            ("basicAuth.username", {"username": "a:b", "password": "c"}),
            ("basicAuth.username", {"username": "a\n", "password": "c"}),
            ("basicAuth.password", {"username": "a", "password": "p" * 1025}),
            ("triggers", []),
            ("triggers", [{"eventType": "on_action"}] * 51),
            ("triggers.0.eventType", [{"eventType": "contact.created"}]),
            ("triggers.0.actionNumber", [{"eventType": "on_action", "actionNumber": -1}]),
            ("triggers.0.actionNumber", [{"eventType": "on_action", "actionNumber": 10**40}]),
            ("triggers.0.idFunnel", [{"eventType": "on_action", "idFunnel": ""}]),
            ("retrySchedule", []),
            ("retrySchedule", [1] * 21),
            ("retrySchedule.1", [1, -1]),
            ("retrySchedule.0", [86_401]),
            ("retrySchedule", [86_400] * 8),
            ("timeoutSeconds", 0),
            ("timeoutSeconds", 11),
        ],
    )
    def test_out_of_bounds_is_named(self, name: str, value: Any) -> None:
        (field,) = refusal(**{name.partition(".")[0]: value}).fields

        assert field.path == name

    @pytest.mark.parametrize("name", ["idWebhookconfig", "secret", "workspaceId", "version"])
    def test_that_nobody_knows_is_named(self, name: str) -> None:
        (field,) = refusal(**{name: "x"}).fields

        assert (field.path, field.message) == (name, "is not a known field")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("webhookConfigName", "n" * 256),
            ("retrySchedule", [86_400] * 7),
            ("retrySchedule", [0] * 20),
            ("timeoutSeconds", 1),
            ("headers", {f"X-{number}": "1" for number in range(50)}),
            ("triggers", [{"eventType": "on_action"}] * 50),
        ],
    )
    def test_at_its_bound_is_accepted(self, name: str, value: Any) -> None:
        created(**{name: value})

    @given(FIELDS, JSON)
    def test_of_any_value_is_accepted_or_named_and_nothing_else(
        self, name: str, value: Any
    ) -> None:
        try:
            config = created(**{name: value})
        except ValidationError as error:
            assert invalid(error).fields[0].path.startswith((name, "url"))  # noqa: PT017 - either way is right
            return
        except InvalidError:
            return

        assert rules.full(config, ()).model_dump_json()


class TestAUrl:
    def test_is_needed_with_an_id_and_a_name(self) -> None:
        with pytest.raises(ValidationError) as caught:
            wire.WebhookConfig.model_validate({})

        paths = {field.path for field in invalid(caught.value).fields}
        assert paths == {"idWebhookConfig", "webhookConfigName", "url"}

    def test_may_be_left_out_of_a_draft(self) -> None:
        assert created(url="", enabled=False).url == ""

    def test_is_needed_as_soon_as_the_config_is_enabled(self) -> None:
        (field,) = refusal(url="").fields

        assert field.path == "url"
        assert "save a draft with enabled false" in field.message


class TestAHeader:
    @pytest.mark.parametrize("name", ["X-Team", "accept", "Authorization", "X_a.b~c", "A" * 128])
    def test_of_the_clients_own_is_kept_as_it_is(self, name: str) -> None:
        assert created(headers={name: "some value"}).headers == {name: "some value"}

    @pytest.mark.parametrize(
        "name", ["", "X Team", "X:Team", "X-Team\n", "X-Team\r\nX", "Zoë", "A" * 129, "X-\x00"]
    )
    def test_that_cannot_be_sent_is_refused(self, name: str) -> None:
        (field,) = refusal(headers={name: "1"}).fields

        assert field.path == "headers"
        assert "is not a header name" in field.message

    @pytest.mark.parametrize(
        "name",
        [
            "Host",
            "Content-Length",
            "Content-Type",
            "Content-Encoding",
            "Transfer-Encoding",
            "Connection",
            "Cookie",
            "Expect",
            "TE",
            "Upgrade",
            "User-Agent",
            "webhook-signature",
            "Webhook-Id",
            "X-Funnelflux-Anything",
            "x-flowestate-event",
            "X-Webhook-ClickFunnels-Signature",
        ],
    )
    def test_of_the_exchange_or_of_ours_is_refused(self, name: str) -> None:
        (field,) = refusal(headers={name: "1"}).fields

        assert "is set by the platform; leave it out" in field.message

    @pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", " a", "a ", "\ta", "é", "\x7f"])
    def test_value_that_could_smuggle_is_refused(self, value: str) -> None:
        (field,) = refusal(headers={"X-Team": value}).fields

        assert "must be printable ASCII" in field.message

    def test_value_of_absurd_length_is_refused_without_quoting_it(self) -> None:
        error = refusal(headers={"X-Team": "v" * 4097})

        assert "longer than 4096" in error.message
        assert "vvv" not in error.message

    def test_given_twice_is_refused(self) -> None:
        assert "given twice" in refusal(headers={"X-Team": "1", "x-team": "2"}).message

    def test_authorization_and_basic_auth_exclude_each_other(self) -> None:
        error = refusal(
            headers={"authorization": "Bearer x"}, basicAuth={"username": "a", "password": "b"}
        )

        assert error.fields[0].path == "basicAuth"
