"""The one base of everything that crosses a boundary."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen value; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
