import json
from typing import Any

import pytest

from shared.apis.funnelflux import mapping
from shared.apis.funnelflux import models as wire
from shared.configs.models import ConfigName, DisabledReason, Status, WebhookConfig
from shared.errors import InvalidError
from shared.outbound.redaction import MASK
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW


def read(**changes: Any) -> wire.WebhookConfigBody:
    return wire.WebhookConfigBody.model_validate(factories.config_json(**changes))


def created(**changes: Any) -> WebhookConfig:
    return mapping.created(read(**changes), WORKSPACE, NOW)


def shown(config: WebhookConfig) -> dict[str, Any]:
    """As a client reads it."""
    return mapping.full(config, ()).model_dump(mode="json", exclude_none=True)


def short(config: WebhookConfig) -> dict[str, Any]:
    """As a client reads it in a list."""
    names = config.model_dump(include=set(ConfigName.model_fields))
    return mapping.short(ConfigName(**names), {"sales": "Sales"}).model_dump(
        mode="json", exclude_none=True
    )


class TestANewConfig:
    def test_takes_defaults_for_the_rest(self) -> None:
        config = created()

        assert (config.status, config.enabled, config.target_type) == ("active", True, "custom")
        assert (config.description, config.category_id, config.headers) == ("", "", {})
        assert (config.retry_schedule, config.timeout_s, config.version) == (None, 10, 1)
        assert (config.dialect, config.managed_by) == ("funnelflux", "dashboard")

    def test_wants_all_four_trigger_types_unless_it_says_otherwise(self) -> None:
        assert created().listed_under == (
            "node_execution",
            "on_action",
            "conversion_triggered",
            "custom_event_triggered",
        )

    def test_wants_what_its_triggers_say(self) -> None:
        trigger = {"eventType": "on_action", "idFunnel": "f1", "idNode": "n1", "actionNumber": 2}

        config = created(triggers=[trigger, {"eventType": "node_execution"}])

        assert config.listed_under == ("on_action", "node_execution")
        assert config.triggers[0].model_dump(exclude_defaults=True) == {
            "event_type": "on_action",
            "funnel_id": "f1",
            "node_id": "n1",
            "action_number": 2,
        }

    def test_has_a_secret_of_its_own(self) -> None:
        assert created().secret != created().secret

    def test_that_is_deleted_at_once_is_remembered_as_deleted(self) -> None:
        assert created(status="deleted").deleted_at == NOW


class TestSecrets:
    def test_are_in_no_read(self) -> None:
        config = created(
            headers={"Authorization": "Bearer hunter2", "X-Api-Key": "hunter2", "X-Team": "growth"},
        )
        with_basic = created(basicAuth={"username": "jo", "password": "hunter2"})

        read = [shown(config), shown(with_basic), short(config)]
        read_back = json.dumps(read)

        assert shown(config)["headers"] == {
            "Authorization": MASK,
            "X-Api-Key": MASK,
            "X-Team": "growth",
        }
        assert "hunter2" not in read_back
        assert config.secret not in read_back

    @pytest.mark.parametrize(
        "name",
        ["X-Auth", "X-TOKEN", "x-secret-1", "Api-Key", "X-Password", "X-Signature", "X-Credential"],
    )
    def test_are_known_by_the_name_of_their_header(self, name: str) -> None:
        assert shown(created(headers={name: "1"}))["headers"] == {name: MASK}

    def test_stay_when_a_masked_value_comes_back(self) -> None:
        old = created(headers={"X-Api-Key": "hunter2"})

        new = mapping.replaced(old, read(headers={"x-api-key": MASK}), NOW)

        assert new.headers == {"x-api-key": "hunter2"}

    def test_change_when_a_new_value_comes(self) -> None:
        old = created(headers={"X-Api-Key": "hunter2"})

        new = mapping.replaced(old, read(headers={"X-Api-Key": "hunter3"}), NOW)

        assert new.headers == {"X-Api-Key": "hunter3"}

    def test_go_when_they_are_left_out_of_the_headers(self) -> None:
        old = created(headers={"X-Api-Key": "hunter2"})

        assert mapping.replaced(old, read(), NOW).headers == {}

    def test_cannot_be_masked_before_they_are_stored(self) -> None:
        with pytest.raises(InvalidError) as refused:
            created(headers={"X-Api-Key": MASK})

        assert refused.value.fields[0].path == "headers.X-Api-Key"

    @pytest.mark.parametrize("password", [{}, {"password": MASK}, {"password": None}])
    def test_password_stays_when_it_is_not_sent_again(self, password: dict[str, Any]) -> None:
        old = created(basicAuth={"username": "jo", "password": "hunter2"})

        new = mapping.replaced(old, read(basicAuth={"username": "joe"} | password), NOW)

        assert new.basic_auth is not None
        assert (new.basic_auth.username, new.basic_auth.password) == ("joe", "hunter2")

    def test_password_is_needed_once(self) -> None:
        with pytest.raises(InvalidError) as refused:
            created(basicAuth={"username": "jo"})

        assert refused.value.fields[0].path == "basicAuth.password"

    def test_password_goes_with_its_basic_auth(self) -> None:
        old = created(basicAuth={"username": "jo", "password": "hunter2"})

        assert mapping.replaced(old, read(), NOW).basic_auth is None

    def test_survive_a_read_that_is_saved_again(self) -> None:
        old = created(
            headers={"X-Api-Key": "hunter2"}, basicAuth={"username": "jo", "password": "hunter2"}
        )

        back = wire.WebhookConfigBody.model_validate(shown(old))
        new = mapping.replaced(old, back, NOW)

        assert new == old.model_copy(update={"version": 2})


class TestASave:
    def test_replaces_everything_that_is_the_clients(self) -> None:
        old = created(description="old", timeoutSeconds=5, retrySchedule=[1, 2])

        new = mapping.replaced(old, read(webhookConfigName="New"), NOW + 5)

        assert (new.name, new.description, new.timeout_s) == ("New", "", 10)
        assert new.retry_schedule is None

    def test_keeps_what_is_ours(self) -> None:
        old = created()

        new = mapping.replaced(old, read(), NOW + 5)

        assert (new.secret, new.created_at, new.workspace_id) == (old.secret, NOW, WORKSPACE)
        assert (new.updated_at, new.version) == (NOW + 5, old.version + 1)

    def test_is_of_the_types_that_are_stored(self) -> None:
        new = mapping.replaced(created(), read(retrySchedule=[1, 60]), NOW + 5)

        assert new == WebhookConfig.model_validate(new.model_dump())

    def test_may_delete(self) -> None:
        new = mapping.replaced(created(), read(status="deleted"), NOW + 5)

        assert (new.status, new.deleted_at) == (Status.DELETED, NOW + 5)

    def test_of_a_deleted_one_counts_as_a_save(self) -> None:
        gone = mapping.deleted(created(), NOW + 5)

        assert (gone.status, gone.deleted_at, gone.version) == (Status.DELETED, NOW + 5, 2)
        assert not gone.is_receiving


class TestAConfigThatThePlatformDisabled:
    OLD = factories.config(
        enabled=False, disabled_reason=DisabledReason.ENDPOINT_GONE, disabled_at=NOW
    )

    def test_keeps_its_reason_while_it_is_saved_as_disabled(self) -> None:
        new = mapping.replaced(self.OLD, read(enabled=False), NOW + 5)

        assert (new.disabled_reason, new.disabled_at) == ("endpoint_gone", NOW)

    def test_loses_it_when_it_is_enabled(self) -> None:
        new = mapping.replaced(self.OLD, read(enabled=True), NOW + 5)

        assert (new.disabled_reason, new.disabled_at) == (None, None)

    def test_shows_it_in_every_read(self) -> None:
        full, listed = mapping.full(self.OLD, ()), short(self.OLD)

        assert (full.disabledReason, full.disabledAt) == ("endpoint_gone", NOW)
        assert listed["disabledReason"] == "endpoint_gone"
        assert listed["disabledAt"] == "2026-04-29T18:04:15.000Z"

    def test_takes_no_reason_from_a_client(self) -> None:
        made = created(enabled=False, disabledReason="endpoint_failing", disabledAt="today")

        assert (made.disabled_reason, made.disabled_at) == (None, None)


class TestARead:
    def test_in_a_list_is_short(self) -> None:
        assert short(created()) == {
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

        read = shown(created(**saved))

        assert read.items() >= saved.items()
        assert read["createdAt"] == read["updatedAt"] == "2026-04-29T18:04:15.000Z"

    def test_has_no_schedule_or_auth_unless_the_config_has_one(self) -> None:
        assert not {"retrySchedule", "basicAuth"} & shown(created()).keys()


@pytest.mark.parametrize("value", ["Bearer abc", "basic dXNlcg==", "eyJhbGciOi.e30.x", "sk_live_1"])
def test_a_value_that_looks_like_a_credential_is_masked_under_any_name(value: str) -> None:
    config = factories.config(headers={"X-Access": value, "X-Source": "basically public"})

    assert mapping.full(config, ()).headers == {"X-Access": MASK, "X-Source": "basically public"}
