"""The one base of everything that crosses a boundary."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen value; a key that it does not know is an error.

    What is wrong with a value is told without the value, which may be a secret.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )

    @classmethod
    def from_item(cls, values: Mapping[str, Any]) -> Self:
        """The model in a table's item, without its other attributes. Raises ValidationError."""
        fields = cls.model_fields.keys() & values.keys()
        return cls.model_validate({name: values[name] for name in fields})
