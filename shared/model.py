"""The base of every model: requests, messages, items, settings."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen value; an unknown key is an error.

    The text of an error does not show the value, which may be a secret.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )

    @classmethod
    def from_item(cls, values: Mapping[str, Any]) -> Self:
        """The model in a table's item, without its other attributes. Raises ValidationError."""
        fields = cls.model_fields.keys() & values.keys()
        return cls.model_validate({name: values[name] for name in fields})
