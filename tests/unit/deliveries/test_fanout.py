from collections.abc import Sequence
from typing import Any, cast

import pytest

from shared.configs.store import ConfigStore
from shared.configs.triggers import Interest, Trigger
from shared.deliveries import fanout
from shared.deliveries.fanout import first_messages, remembering, send_all
from shared.deliveries.queue import AttemptMessage, Queue
from shared.events import operational
from shared.events.operational import OperationalType
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW, FakeSqs


class FakeConfigs:
    """Configs that want events of any type."""

    def __init__(self, *config_ids: str) -> None:
        self.questions: list[tuple[str, str]] = []
        self._config_ids = config_ids

    def interests(self, workspace_id: str, event_type: str) -> list[Interest]:
        self.questions.append((workspace_id, event_type))
        any_of_it = (Trigger(event_type=event_type),)
        return [
            Interest(config_id=config_id, since=NOW, triggers=any_of_it)
            for config_id in self._config_ids
        ]


def test_each_config_that_wants_an_event_gets_a_first_attempt() -> None:
    configs = FakeConfigs("crm", "mail")

    pointers = first_messages(factories.event(), configs.interests)

    assert pointers == [factories.pointer("crm"), factories.pointer("mail")]


def test_an_event_that_nobody_wants_gets_none() -> None:
    assert first_messages(factories.event(), FakeConfigs().interests) == []


def test_an_event_that_names_its_configs_goes_to_them_and_asks_nobody() -> None:
    configs = FakeConfigs("crm")

    pointers = first_messages(factories.event(config_ids=("mail",)), configs.interests)

    assert pointers == [factories.pointer("mail")]
    assert configs.questions == []


def test_a_second_look_at_an_event_makes_the_same_pointers() -> None:
    configs = FakeConfigs("crm", "mail")

    first = first_messages(factories.event(), configs.interests)
    second = first_messages(factories.event(), configs.interests)

    assert first == second


def test_a_question_is_asked_once_in_a_batch() -> None:
    configs = FakeConfigs("crm")
    ask = remembering(cast(ConfigStore, configs))

    for event_type in ("on_action", "node_execution", "on_action"):
        ask(WORKSPACE, event_type)

    assert sorted(configs.questions) == [
        (WORKSPACE, "*"),
        (WORKSPACE, "node_execution"),
        (WORKSPACE, "on_action"),
    ]


def test_an_operational_event_goes_to_any_config_but_the_one_that_it_is_about() -> None:
    told = operational.event(
        OperationalType.CONFIG_TRIPPED,
        WORKSPACE,
        ("WebhookConfig", "crm"),
        1,
        {"config_id": "crm"},
        NOW,
    )

    pointers = first_messages(told, FakeConfigs("crm", "mail").interests)

    assert [pointer.config_id for pointer in pointers] == ["mail"]


class FakeQueue:
    def __init__(self) -> None:
        self.chunks: list[int] = []

    def send(self, messages: Sequence[AttemptMessage]) -> None:
        self.chunks.append(len(messages))


POINTERS = {
    name: [factories.pointer(event_id=f"{name}-{number}") for number in range(3)]
    for name in ("a", "b", "c", "d", "e")
}


class TestSendingAll:
    def send(self, monkeypatch: pytest.MonkeyPatch, *has_time: bool) -> tuple[list[str], list[int]]:
        monkeypatch.setattr(fanout, "CHUNK", 6)
        queue, answers = FakeQueue(), iter(has_time)
        left = send_all(cast(Any, queue), POINTERS, lambda: next(answers))
        return left, queue.chunks

    def test_goes_chunk_by_chunk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.send(monkeypatch, True, True) == ([], [6, 6, 3])

    @pytest.mark.parametrize(
        ("has_time", "left", "chunks"),
        [((False,), ["a", "b", "c", "d", "e"], []), ((True, False), ["c", "d", "e"], [6])],
    )
    def test_names_the_records_for_which_there_was_no_time(
        self,
        monkeypatch: pytest.MonkeyPatch,
        has_time: tuple[bool, ...],
        left: list[str],
        chunks: list[int],
    ) -> None:
        assert self.send(monkeypatch, *has_time) == (left, chunks)

    def test_of_a_few_is_one_call(self) -> None:
        sqs = FakeSqs()

        send_all(Queue(cast(Any, sqs), "url"), {"a": POINTERS["a"]}, lambda: True)

        assert [len(batch) for batch in sqs.batches] == [3]
