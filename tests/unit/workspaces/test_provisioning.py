from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.errors import InvalidError
from shared.workspaces.models import Limits, Slug, slug_of
from shared.workspaces.provisioning import Bootstrap, Configure, read

SLUG = TypeAdapter[str](Slug)


class TestASlug:
    @pytest.mark.parametrize(
        ("name", "slug"),
        [
            ("Acme", "acme"),
            ("Über uns & Co.", "uber-uns-co"),
            ("  A  B  ", "a-b"),
            ("日本", "workspace"),
            ("x" * 63 + " y", "x" * 63),
        ],
    )
    def test_is_made_from_the_name(self, name: str, slug: str) -> None:
        assert slug_of(name) == slug

    @given(st.text(min_size=1, max_size=256))
    def test_is_a_valid_one_whatever_the_name(self, name: str) -> None:
        assert SLUG.validate_python(slug_of(name))


class TestACommand:
    def test_makes_a_workspace(self) -> None:
        command = read({"operation": "bootstrap", "name": "Acme", "limits": {"configs": 5}})

        assert isinstance(command, Bootstrap)
        assert command.limits == Limits(configs=5)

    def test_configures_one(self) -> None:
        assert read({"operation": "configure", "workspace_id": "w"}) == Configure(
            operation="configure", workspace_id="w"
        )

    @pytest.mark.parametrize(
        ("values", "path"),
        [
            ({"operation": "bootstrap"}, "name"),
            ({"operation": "bootstrap", "name": "A", "slug": "No Slug"}, "slug"),
            ({"operation": "configure", "workspace_id": "w", "id": 1}, "id"),
            (
                {"operation": "configure", "workspace_id": "w", "limits": {"configs": -1}},
                "limits.configs",
            ),
        ],
    )
    def test_that_is_wrong_is_refused_by_field(self, values: dict[str, Any], path: str) -> None:
        with pytest.raises(InvalidError) as refusal:
            read(values)

        assert [field.path for field in refusal.value.fields] == [path]

    @pytest.mark.parametrize("values", [{}, {"operation": "other"}, "bootstrap"])
    def test_that_is_none_is_refused(self, values: Any) -> None:
        with pytest.raises(InvalidError):
            read(values)
