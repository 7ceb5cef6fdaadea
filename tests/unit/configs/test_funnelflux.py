import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.api.validation import invalid
from shared.configs import funnelflux
from shared.configs.funnelflux import MASK, WebhookConfigIn
from shared.configs.models import Status, WebhookConfig
from shared.errors import InvalidError
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(sorted(WebhookConfigIn.model_fields))


def read(**changes: Any) -> WebhookConfigIn:
    return WebhookConfigIn.model_validate(factories.config_json(**changes))


def created(**changes: Any) -> WebhookConfig:
    return funnelflux.created(read(**changes), WORKSPACE, NOW)


def refusal(**changes: Any) -> InvalidError:
    with pytest.raises(ValidationError) as caught:
        read(**changes)
    return invalid(caught.value)


class TestANewConfig:
    def test_needs_an_id_a_name_and_a_url(self) -> None:
        with pytest.raises(ValidationError) as caught:
            WebhookConfigIn.model_validate({})

        paths = {field.path for field in invalid(caught.value).fields}
        assert paths == {"idWebhookConfig", "webhookConfigName", "url"}

    def test_takes_defaults_for_the_rest(self) -> None:
        config = created()

        assert (config.status, config.enabled, config.target_type) == ("active", True, "custom")
        assert (config.description, config.category_id, config.headers) == ("", "", {})
        assert (config.retry_schedule, config.timeout_s, config.version) == (None, 10, 1)
        assert (config.dialect, config.managed_by) == ("funnelflux", "dashboard")

    def test_wants_all_four_trigger_types_unless_it_says_otherwise(self) -> None:
        assert created().event_types == (
            "node_execution",
            "on_action",
            "conversion_triggered",
            "custom_event_triggered",
        )

    def test_wants_what_its_triggers_say(self) -> None:
        trigger = {"eventType": "on_action", "idFunnel": "f1", "idNode": "n1", "actionNumber": 2}

        config = created(triggers=[trigger, {"eventType": "node_execution"}])

        assert config.event_types == ("on_action", "node_execution")
        assert config.triggers[0].model_dump(exclude_none=True) == {
            "event_type": "on_action",
            "funnel_id": "f1",
            "node_id": "n1",
            "action_number": 2,
        }

    def test_has_a_secret_of_its_own(self) -> None:
        assert created().secret != created().secret

    def test_may_be_a_draft_without_a_url(self) -> None:
        assert created(url="", enabled=False).url == ""

    def test_that_is_enabled_needs_a_url(self) -> None:
        (field,) = refusal(url="").fields

        assert field.path == "url"
        assert "save a draft with enabled false" in field.message

    def test_that_is_deleted_at_once_is_remembered_as_deleted(self) -> None:
        assert created(status="deleted").deleted_at == NOW


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

        json.dumps(funnelflux.full(config))


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


class TestSecrets:
    def test_are_in_no_read(self) -> None:
        config = created(
            headers={"Authorization": "Bearer hunter2", "X-Api-Key": "hunter2", "X-Team": "growth"},
        )
        with_basic = created(basicAuth={"username": "jo", "password": "hunter2"})

        shown = funnelflux.full(config)
        read_back = json.dumps([shown, funnelflux.full(with_basic), funnelflux.short(config)])

        assert shown["headers"] == {"Authorization": MASK, "X-Api-Key": MASK, "X-Team": "growth"}
        assert "hunter2" not in read_back
        assert config.secret not in read_back

    @pytest.mark.parametrize(
        "name",
        ["X-Auth", "X-TOKEN", "x-secret-1", "Api-Key", "X-Password", "X-Signature", "X-Credential"],
    )
    def test_are_known_by_the_name_of_their_header(self, name: str) -> None:
        assert funnelflux.full(created(headers={name: "1"}))["headers"] == {name: MASK}

    def test_stay_when_a_masked_value_comes_back(self) -> None:
        old = created(headers={"X-Api-Key": "hunter2"})

        new = funnelflux.replaced(old, read(headers={"x-api-key": MASK}), NOW)

        assert new.headers == {"x-api-key": "hunter2"}

    def test_change_when_a_new_value_comes(self) -> None:
        old = created(headers={"X-Api-Key": "hunter2"})

        new = funnelflux.replaced(old, read(headers={"X-Api-Key": "hunter3"}), NOW)

        assert new.headers == {"X-Api-Key": "hunter3"}

    def test_go_when_they_are_left_out_of_the_headers(self) -> None:
        old = created(headers={"X-Api-Key": "hunter2"})

        assert funnelflux.replaced(old, read(), NOW).headers == {}

    def test_cannot_be_masked_before_they_are_stored(self) -> None:
        with pytest.raises(InvalidError) as refused:
            created(headers={"X-Api-Key": MASK})

        assert refused.value.fields[0].path == "headers.X-Api-Key"

    @pytest.mark.parametrize("password", [{}, {"password": MASK}, {"password": None}])
    def test_password_stays_when_it_is_not_sent_again(self, password: dict[str, Any]) -> None:
        old = created(basicAuth={"username": "jo", "password": "hunter2"})

        new = funnelflux.replaced(old, read(basicAuth={"username": "joe"} | password), NOW)

        assert new.basic_auth is not None
        assert (new.basic_auth.username, new.basic_auth.password) == ("joe", "hunter2")

    def test_password_is_needed_once(self) -> None:
        with pytest.raises(InvalidError) as refused:
            created(basicAuth={"username": "jo"})

        assert refused.value.fields[0].path == "basicAuth.password"

    def test_password_goes_with_its_basic_auth(self) -> None:
        old = created(basicAuth={"username": "jo", "password": "hunter2"})

        assert funnelflux.replaced(old, read(), NOW).basic_auth is None

    def test_survive_a_read_that_is_saved_again(self) -> None:
        old = created(
            headers={"X-Api-Key": "hunter2"}, basicAuth={"username": "jo", "password": "hunter2"}
        )

        shown = funnelflux.full(old)
        kept = {key: shown[key] for key in shown.keys() & WebhookConfigIn.model_fields.keys()}
        new = funnelflux.replaced(old, WebhookConfigIn.model_validate(kept), NOW)

        assert new == old.model_copy(update={"version": 2})


class TestASave:
    def test_replaces_everything_that_is_the_clients(self) -> None:
        old = created(description="old", timeoutSeconds=5, retrySchedule=[1, 2])

        new = funnelflux.replaced(old, read(webhookConfigName="New"), NOW + 5)

        assert (new.name, new.description, new.timeout_s) == ("New", "", 10)
        assert new.retry_schedule is None

    def test_keeps_what_is_ours(self) -> None:
        old = created()

        new = funnelflux.replaced(old, read(), NOW + 5)

        assert (new.secret, new.created_at, new.workspace_id) == (old.secret, NOW, WORKSPACE)
        assert (new.updated_at, new.version) == (NOW + 5, old.version + 1)

    def test_may_delete(self) -> None:
        new = funnelflux.replaced(created(), read(status="deleted"), NOW + 5)

        assert (new.status, new.deleted_at) == (Status.DELETED, NOW + 5)

    def test_of_a_deleted_one_counts_as_a_save(self) -> None:
        gone = funnelflux.deleted(created(), NOW + 5)

        assert (gone.status, gone.deleted_at, gone.version) == (Status.DELETED, NOW + 5, 2)
        assert not gone.is_receiving


class TestARead:
    def test_in_a_list_is_short(self) -> None:
        assert funnelflux.short(created()) == {
            "idWebhookConfig": "crm",
            "webhookConfigName": "CRM",
            "status": "active",
            "targetType": "custom",
            "enabled": True,
            "idCategory": "",
            "categoryName": "",
        }

    def test_in_full_has_what_was_saved(self) -> None:
        saved = {
            "description": "For sales",
            "idCategory": "crm",
            "targetType": "zapier",
            "headers": {"X-Team": "growth"},
            "triggers": [{"eventType": "on_action", "idNode": "n1", "actionNumber": 0}],
            "retrySchedule": [1, 60],
            "timeoutSeconds": 5,
        }

        shown = funnelflux.full(created(**saved))

        assert shown.items() >= saved.items()
        assert shown["createdAt"] == shown["updatedAt"] == "2026-04-29T18:04:15.000Z"

    def test_has_no_schedule_or_auth_unless_the_config_has_one(self) -> None:
        assert not {"retrySchedule", "basicAuth"} & funnelflux.full(created()).keys()
