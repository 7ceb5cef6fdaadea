from typing import cast

from shared.configs.models import Trigger
from shared.configs.store import ConfigStore
from shared.configs.triggers import Wanted
from shared.delivery.fanout import first_pointers, remembering
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW


class FakeConfigs:
    """Configs that want events of any type."""

    def __init__(self, *config_ids: str) -> None:
        self.questions: list[tuple[str, str]] = []
        self._config_ids = config_ids

    def wanting(self, workspace_id: str, event_type: str) -> list[Wanted]:
        self.questions.append((workspace_id, event_type))
        any_of_it = (Trigger(event_type=event_type),)
        return [
            Wanted(config_id=config_id, since=NOW, filters=any_of_it)
            for config_id in self._config_ids
        ]


def test_each_config_that_wants_an_event_gets_a_first_attempt() -> None:
    configs = FakeConfigs("crm", "mail")

    pointers = first_pointers(factories.event(), configs.wanting)

    assert pointers == [factories.pointer("crm"), factories.pointer("mail")]


def test_an_event_that_nobody_wants_gets_none() -> None:
    assert first_pointers(factories.event(), FakeConfigs().wanting) == []


def test_an_event_that_names_its_configs_goes_to_them_and_asks_nobody() -> None:
    configs = FakeConfigs("crm")

    pointers = first_pointers(factories.event(config_ids=("mail",)), configs.wanting)

    assert pointers == [factories.pointer("mail")]
    assert configs.questions == []


def test_a_second_look_at_an_event_makes_the_same_pointers() -> None:
    configs = FakeConfigs("crm", "mail")

    first = first_pointers(factories.event(), configs.wanting)
    second = first_pointers(factories.event(), configs.wanting)

    assert first == second


def test_a_question_is_asked_once_in_a_batch() -> None:
    configs = FakeConfigs("crm")
    ask = remembering(cast(ConfigStore, configs))

    for event_type in ("on_action", "node_execution", "on_action"):
        ask(WORKSPACE, event_type)

    assert configs.questions == [(WORKSPACE, "on_action"), (WORKSPACE, "node_execution")]
