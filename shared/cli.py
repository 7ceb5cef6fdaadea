"""Commands for whoever runs a deployed stack: `python -m shared.cli bootstrap --stack NAME`."""

import argparse
import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError


class CommandError(Exception):
    """What went wrong and what to do about it."""


def main() -> int:
    options = _parser().parse_args()
    try:
        _print(bootstrap(options.stack, options.name))
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"AWS refused: {error}\nCheck the credentials and the region in use.\n")
        return 1
    return 0


def bootstrap(stack: str, name: str) -> dict[str, str]:
    """Make a workspace and a key with every scope; IAM decides who may."""
    function = _output(stack, "ConfigsFunctionName")
    payload = json.dumps({"operation": "bootstrap", "name": name})
    answer = boto3.client("lambda").invoke(FunctionName=function, Payload=payload)
    made: dict[str, str] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise CommandError(f"{function} failed: {made}")
    return {"api_url": _output(stack, "ApiUrl")} | made


def _output(stack: str, key: str) -> str:
    stacks = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
    if key not in outputs:
        raise CommandError(f"The stack {stack} has no output {key}: is it a Funnelhooks stack?")
    return outputs[key]


def _print(made: dict[str, str]) -> None:
    for name, value in made.items():
        sys.stdout.write(f"{name:<13} {value}\n")
    sys.stdout.write("Keep the key now: only its hash is stored.\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shared.cli", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("bootstrap", help="make a workspace and its first key")
    command.add_argument("--stack", required=True, help="name of the CloudFormation stack")
    command.add_argument("--name", default="First workspace", help="name of the workspace")
    return parser


if __name__ == "__main__":
    sys.exit(main())
