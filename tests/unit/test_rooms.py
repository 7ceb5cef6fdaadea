"""What counts as an import that runs up, and as a ring, on trees that are made up."""

import pytest

from tests.rooms import rings, room_of, upward
from tests.sources import classes, imported

# From top to bottom.
ORDER = ("attempts", "apis.funnelflux", "apis", "web", "clock")


class TestARoom:
    @pytest.mark.parametrize(
        ("module", "room"),
        [
            ("shared.attempts.attempt", "attempts"),
            ("shared.attempts", "attempts"),
            ("shared.clock", "clock"),
            ("shared.apis.problems", "apis"),
            ("shared.apis.funnelflux.models", "apis.funnelflux"),
            ("shared.attemptsmade", None),
            ("functions.dispatch.handler", None),
        ],
    )
    def test_is_the_innermost_folder_that_is_named(self, module: str, room: str | None) -> None:
        assert room_of(module, ORDER) == room


class TestAnImport:
    def test_may_run_down(self) -> None:
        graph = {"shared.attempts.attempt": {"shared.web.auth", "shared.clock"}}

        assert not upward(graph, ORDER)

    def test_may_stay_in_its_room(self) -> None:
        assert not upward({"shared.web.auth": {"shared.web.problems"}}, ORDER)

    def test_runs_up_from_the_ground(self) -> None:
        (arrow,) = upward({"shared.clock": {"shared.web"}}, ORDER)

        assert arrow == ("clock", "web", [("shared.clock", "shared.web")])

    def test_runs_up_between_rooms_of_one_folder(self) -> None:
        (arrow,) = upward({"shared.apis.problems": {"shared.apis.funnelflux.models"}}, ORDER)

        assert (arrow.source, arrow.target) == ("apis", "apis.funnelflux")

    def test_is_one_arrow_with_others_between_the_same_rooms(self) -> None:
        graph = {
            "shared.web.auth": {"shared.attempts.attempt", "shared.attempts.outcome"},
            "shared.web.problems": {"shared.attempts.attempt"},
        }

        (arrow,) = upward(graph, ORDER)

        assert len(arrow.imports) == 3

    def test_of_functions_is_never_up(self) -> None:
        assert not upward({"functions.dispatch.handler": {"shared.clock"}}, ORDER)


class TestARing:
    def test_is_two_folders_that_import_different_modules_of_each_other(self) -> None:
        graph = {
            "shared.web.auth": {"shared.workspaces.models"},
            "shared.web.paging": set[str](),
            "shared.workspaces.models": set[str](),
            "shared.workspaces.store": {"shared.web.paging"},
        }

        assert rings(graph) == [["shared.web", "shared.workspaces"]]

    def test_may_lead_through_many_folders(self) -> None:
        graph = {
            "shared.a.one": {"shared.b.one"},
            "shared.b.two": {"shared.c"},
            "shared.c": {"shared.d.one"},
            "shared.d.two": {"shared.a.two", "shared.e.one"},
            "shared.e.one": set[str](),
        }

        assert rings(graph) == [["shared.a", "shared.b", "shared.c", "shared.d"]]

    def test_is_found_beside_another(self) -> None:
        graph = {
            "shared.a.one": {"shared.b.one", "shared.c.one"},
            "shared.b.one": {"shared.a.two"},
            "shared.c.one": {"shared.d.one"},
            "shared.d.one": {"shared.c.two"},
        }

        assert rings(graph) == [["shared.a", "shared.b"], ["shared.c", "shared.d"]]

    def test_is_not_what_modules_of_one_folder_do(self) -> None:
        graph = {"shared.a.one": {"shared.a.two"}, "shared.a.two": {"shared.b.one"}}

        assert not rings(graph)

    def test_counts_the_folder_itself_as_one_of_its_modules(self) -> None:
        graph = {
            "shared.a": {"shared.b.one"},
            "shared.a.one": set[str](),
            "shared.b.one": {"shared.a.one"},
        }

        assert rings(graph) == [["shared.a", "shared.b"]]

    def test_is_between_folders_of_one_folder_too(self) -> None:
        graph = {
            "shared.apis.one.models": {"shared.apis.two.models"},
            "shared.apis.two.views": {"shared.apis.one.views"},
        }

        assert rings(graph) == [["shared.apis.one", "shared.apis.two"]]

    def test_is_what_a_folder_of_folders_does_as_a_whole(self) -> None:
        graph = {
            "shared.apis.one.models": {"shared.web.auth"},
            "shared.web.auth": {"shared.apis.two.models"},
            "shared.apis.two.models": set[str](),
        }

        assert rings(graph) == [["shared.apis", "shared.web"]]


class TestAModule:
    def test_imports_what_it_names_at_any_place(self) -> None:
        text = """
import json
import shared.clock
from shared import ids, settings as read
from shared.web.auth import Auth

def late():
    from tests import fakes
"""

        assert imported(text) == {
            "shared.clock",
            "shared.ids",
            "shared.settings",
            "shared.web.auth.Auth",
            "tests.fakes",
        }

    @pytest.mark.parametrize("text", ["from . import ids", "from .ids import new_event_id"])
    def test_imports_nothing_by_a_relative_name(self, text: str) -> None:
        with pytest.raises(ValueError, match="line 1"):
            imported(text)

    def test_defines_classes_within_others(self) -> None:
        assert classes("class A:\n    class B: ...\ndef f():\n    class C: ...") == ["A", "B", "C"]
