from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.apis.funnelflux import mapping
from shared.apis.funnelflux import models as wire
from shared.configs.models import WebhookConfig
from shared.errors import InvalidError
from shared.events.models import TriggerType
from shared.input.validation import invalid
from shared.model import Model
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(sorted(wire.WebhookConfigBody.model_fields))


def read(**changes: Any) -> wire.WebhookConfigBody:
    return wire.WebhookConfigBody.model_validate(factories.config_json(**changes))


def created(**changes: Any) -> WebhookConfig:
    return mapping.created(read(**changes), WORKSPACE, NOW)


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
            ("triggers.0.eventType", [{"eventType": "Contact Created"}]),
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

        assert mapping.full(config, ()).model_dump_json()


class TestAUrl:
    def test_is_needed_with_an_id_and_a_name(self) -> None:
        with pytest.raises(ValidationError) as caught:
            wire.WebhookConfigBody.model_validate({})

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


class TestTheDocument:
    """FunnelFlux Pro, Assets API, "Webhook Configs": every field, as it is printed there."""

    STATUS: ClassVar = ["active", "archived", "deleted"]
    TARGET_TYPE: ClassVar = [
        "custom",
        "zapier",
        "make",
        "pipedream",
        "n8n",
        "tray_io",
        "ifttt",
        "aws_lambda",
    ]

    def test_has_these_fields_in_a_config_and_these_must_be_given(self) -> None:
        schema = wire.WebhookConfigBody.model_json_schema()

        assert schema["properties"].keys() >= {
            "idWebhookConfig",
            "webhookConfigName",
            "description",
            "idCategory",
            "status",
            "enabled",
            "targetType",
            "url",
            "headers",
            "basicAuth",
        }
        assert schema["required"] == ["idWebhookConfig", "webhookConfigName"]

    def test_reads_what_it_saves_and_adds_nothing_that_a_client_must_know(self) -> None:
        saved = wire.WebhookConfigBody.model_fields.keys()

        assert saved == wire.WebhookConfigRead.model_fields.keys()

    def test_has_these_defaults(self) -> None:
        config = read()

        assert (config.idCategory, config.status) == ("", "active")
        assert (config.enabled, config.targetType) == (True, "custom")

    def test_has_names_of_1_to_256_characters(self) -> None:
        named: list[tuple[type[Model], str]] = [
            (wire.WebhookConfigBody, "webhookConfigName"),
            (wire.DuplicateRequest, "name"),
            (wire.CategoryBody, "categoryName"),
        ]
        for model, name in named:
            schema = model.model_json_schema()["properties"][name]
            assert (schema["minLength"], schema["maxLength"]) == (1, 256)

    def test_has_these_statuses_and_target_types(self) -> None:
        for model in (wire.WebhookConfigBody, wire.WebhookConfigRead, wire.WebhookConfigInfo):
            known = model.model_json_schema()["$defs"]
            assert known["Status"]["enum"] == self.STATUS
            assert known["TargetType"]["enum"] == self.TARGET_TYPE

    def test_lists_by_these_statuses(self) -> None:
        schema = wire.ListQuery.model_json_schema()

        assert schema["properties"]["status"]["enum"] == [
            "active",
            "archived",
            "not-deleted",
            "all",
        ]
        assert schema["required"] == ["status"]

    def test_has_seven_fields_in_the_short_form_and_says_why_one_was_disabled(self) -> None:
        assert list(wire.WebhookConfigInfo.model_fields) == [
            "idWebhookConfig",
            "webhookConfigName",
            "status",
            "targetType",
            "enabled",
            "idCategory",
            "categoryName",
            "disabledReason",
            "disabledAt",
        ]
        assert set(wire.WebhookConfigInfo.model_json_schema()["required"]) == set(
            list(wire.WebhookConfigInfo.model_fields)[:7]
        )

    def test_never_reads_a_password(self) -> None:
        assert list(wire.WebhookBasicAuth.model_fields) == ["username", "password"]
        assert list(wire.WebhookBasicAuthRead.model_fields) == ["username"]

    @pytest.mark.parametrize(
        ("model", "fields", "required"),
        [
            (wire.DuplicateRequest, ["name", "parentId", "bodyUpdates"], ["name"]),
            (wire.StringList, ["entries"], ["entries"]),
            (wire.MoveCategoryRequest, ["entries", "idCategory"], ["entries", "idCategory"]),
            (wire.ConfigQuery, ["idWebhookConfig"], ["idWebhookConfig"]),
            (wire.ConfigsQuery, ["idWebhookConfigs"], ["idWebhookConfigs"]),
        ],
    )
    def test_has_these_requests(
        self, model: type[Model], fields: list[str], required: list[str]
    ) -> None:
        schema = model.model_json_schema()

        assert list(schema["properties"]) == fields
        assert schema["required"] == required

    def test_answers_a_duplicate_with_its_id(self) -> None:
        assert next(iter(wire.DuplicateResponse.model_fields)) == "id"


class TestOfOurs:
    """Fields that FunnelFlux's document does not have: each may be left out."""

    def test_leave_a_client_of_the_document_as_it_is(self) -> None:
        config = read()

        assert [trigger.eventType for trigger in config.triggers] == list(TriggerType)
        assert (config.retrySchedule, config.rateLimitPerSecond) == (None, None)
        assert (config.timeoutSeconds, config.awsIamAuth) == (10, False)

    @pytest.mark.parametrize("rate", [0, 1001, 1.5, "many"])
    def test_have_a_rate_of_1_to_1000_a_second(self, rate: Any) -> None:
        assert read(rateLimitPerSecond=1000).rateLimitPerSecond == 1000
        (field,) = refusal(rateLimitPerSecond=rate).fields

        assert field.path == "rateLimitPerSecond"

    @pytest.mark.parametrize("name", ["warnings", "createdAt", "updatedAt"])
    @given(value=JSON)
    def test_that_only_we_set_may_come_back_with_any_value_and_change_nothing(
        self, name: str, value: Any
    ) -> None:
        with_it = created(**{name: value})

        assert with_it.model_copy(update={"secret": ""}) == created().model_copy(
            update={"secret": ""}
        )
