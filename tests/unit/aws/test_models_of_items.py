"""A model in a table's item."""

import pytest
from pydantic import ValidationError

from shared.aws.items import as_model
from shared.model import Model


class Stored(Model):
    name: str
    count: int = 0


def test_the_other_attributes_of_an_item_are_ignored() -> None:
    item = {"pk": "WORKSPACE#1", "sk": "STORED#1", "name": "first", "count": 2}

    assert as_model(Stored, item) == Stored(name="first", count=2)


def test_an_attribute_that_an_item_lacks_has_its_default() -> None:
    assert as_model(Stored, {"name": "first"}) == Stored(name="first")


def test_an_item_without_a_required_attribute_is_an_error() -> None:
    with pytest.raises(ValidationError, match="name"):
        as_model(Stored, {"count": 2})
