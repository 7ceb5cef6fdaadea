"""Which functions the roles may call: those of the parameter, through their URLs, and no others."""

from pathlib import Path
from typing import Any

import pytest
import yaml


class Template(yaml.SafeLoader):
    """Reads `!Ref x` as ("!Ref", "x")."""


def _tagged(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> tuple[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        return f"!{tag}", loader.construct_sequence(node, deep=True)
    return f"!{tag}", getattr(node, "value", None)


Template.add_multi_constructor("!", _tagged)
TEMPLATE = yaml.load(Path("template.yaml").read_text(encoding="utf-8"), Template)  # noqa: S506
ARNS = ("!Ref", "LambdaTargetArns")
NOTHING = ("!Ref", "AWS::NoValue")


def lambda_statements(role: str) -> list[Any]:
    """What a role says of Lambda, each with the condition on which it says it."""
    (policy,) = TEMPLATE["Resources"][role]["Properties"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    choices = [statement[1] for statement in statements if isinstance(statement, tuple)]
    return [choice for choice in choices if "lambda:" in str(choice)]


def roles() -> list[str]:
    resources = TEMPLATE["Resources"].items()
    return [name for name, resource in resources if resource["Type"] == "AWS::IAM::Role"]


@pytest.mark.parametrize("role", ["DispatchRole", "RetryRole"])
def test_attempts_may_call_the_functions_of_the_parameter_through_their_urls(role: str) -> None:
    by_url, behind_it = lambda_statements(role)

    assert by_url[0] == behind_it[0] == "HasLambdaTargets"
    assert by_url[2] == behind_it[2] == NOTHING
    assert by_url[1]["Action"] == ["lambda:InvokeFunctionUrl"]
    assert behind_it[1]["Action"] == ["lambda:InvokeFunction"]
    assert behind_it[1]["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
    assert by_url[1]["Resource"] == behind_it[1]["Resource"] == ARNS


def test_nobody_else_may_call_functions() -> None:
    others = set(roles()) - {"DispatchRole", "RetryRole"}

    assert others
    assert not any("lambda:Invoke" in str(TEMPLATE["Resources"][role]) for role in others)


def test_nothing_is_allowed_unless_somebody_names_functions() -> None:
    assert TEMPLATE["Parameters"]["LambdaTargetArns"]["Default"] == ""
