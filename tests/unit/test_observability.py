from typing import Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from shared.configs.models import BasicAuth
from shared.observability import fault


def told(error: Exception) -> dict[str, Any]:
    try:
        raise error
    except Exception as caught:
        return fault(caught)


def test_a_fault_tells_where_it_arose() -> None:
    line = told(KeyError("hunter2"))

    assert line["error"] == "KeyError"
    assert line["at"][-1].startswith("test_observability.py:")
    assert line["at"][-1].endswith(" told")


def test_a_fault_never_tells_the_text_of_an_error_that_may_quote_a_payload() -> None:
    line = told(ValueError("invalid email: alice@example.com"))

    assert "alice" not in str(line)


def test_a_fault_of_aws_is_told_in_its_own_words() -> None:
    refusal = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}

    line = told(ClientError(refusal, "PutItem"))  # type: ignore[arg-type]

    assert "AccessDeniedException" in line["detail"]


def test_a_model_never_quotes_the_value_that_it_refuses() -> None:
    try:
        BasicAuth.model_validate({"username": 1, "password": {"hunter2": "hunter2"}})
    except ValidationError as error:
        text = str(error)

    assert "password" in text
    assert "hunter2" not in text


def test_a_deep_stack_is_told_by_its_last_frames() -> None:
    def dive(depth: int) -> None:
        if depth == 0:
            raise RuntimeError
        dive(depth - 1)

    try:
        dive(50)
    except RuntimeError as error:
        line = fault(error)

    assert len(line["at"]) == 6
