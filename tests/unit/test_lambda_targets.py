"""Which functions the roles may call: those of the parameter, through their URLs, and no others."""

from typing import Any

import pytest

from shared.standalone.engine.template import Json, template

ARNS = {"Ref": "LambdaTargetArns"}
NOTHING = {"Ref": "AWS::NoValue"}
ATTEMPTS = ["DispatchRole", "RetryRole", "DeliveriesRole"]  # the last sends test events


def choices(role: Json) -> list[Any]:
    """What a role says of invoking functions, and on which condition it says it."""
    (policy,) = role["Policies"]
    found = [statement.get("Fn::If") for statement in policy["PolicyDocument"]["Statement"]]
    return [choice for choice in found if "lambda:Invoke" in str(choice)]


@pytest.mark.parametrize("role", ATTEMPTS)
def test_attempts_may_call_the_functions_of_the_parameter_through_their_urls(role: str) -> None:
    by_url, behind_it = choices(template().of_type("AWS::IAM::Role")[role])

    assert by_url[0] == behind_it[0] == "HasLambdaTargets"
    assert by_url[2] == behind_it[2] == NOTHING
    assert by_url[1]["Action"] == ["lambda:InvokeFunctionUrl"]
    assert behind_it[1]["Action"] == ["lambda:InvokeFunction"]
    assert behind_it[1]["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
    assert by_url[1]["Resource"] == behind_it[1]["Resource"] == ARNS


def test_nobody_else_may_call_functions() -> None:
    roles = template().of_type("AWS::IAM::Role")

    assert [name for name, role in roles.items() if "lambda:Invoke" in str(role)] == ATTEMPTS


def test_nothing_is_allowed_unless_somebody_names_functions() -> None:
    assert template().parameters["LambdaTargetArns"]["Default"] == ""
