"""Commands for whoever runs a deployed stack; IAM decides who may.

python -m shared.cli bootstrap --stack NAME
python -m shared.cli configure --stack NAME --workspace ID --limit configs=500
"""

import argparse
import json
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError


class CommandError(Exception):
    """What went wrong and what to do about it."""


def main() -> int:
    options = _parser().parse_args()
    try:
        options.run(options)
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"AWS refused: {error}\nCheck the credentials and the region in use.\n")
        return 1
    return 0


def bootstrap(stack: str, **settings: Any) -> dict[str, Any]:
    """Make a workspace and a key with every scope."""
    made = _invoke(stack, {"operation": "bootstrap"} | settings)
    return {"api_url": _output(stack, "ApiUrl")} | made


def configure(stack: str, workspace_id: str, **settings: Any) -> dict[str, Any]:
    """Change a workspace's name, slug, limits or hosts; what is not given stays."""
    return _invoke(stack, {"operation": "configure", "workspace_id": workspace_id} | settings)


def _invoke(stack: str, command: dict[str, Any]) -> dict[str, Any]:
    function = _output(stack, "ConfigsFunctionName")
    answer = boto3.client("lambda").invoke(FunctionName=function, Payload=json.dumps(command))
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise CommandError(f"{function} refused: {result.get('errorMessage', result)}")
    return result


def _output(stack: str, key: str) -> str:
    stacks = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
    if key not in outputs:
        raise CommandError(f"The stack {stack} has no output {key}: is it a Funnelhooks stack?")
    return outputs[key]


def _bootstrap(options: argparse.Namespace) -> None:
    _print(bootstrap(options.stack, **_settings(options)))
    sys.stdout.write("Keep the key now: only its hash is stored.\n")


def _configure(options: argparse.Namespace) -> None:
    _print(configure(options.stack, options.workspace, **_settings(options)))


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    given = {
        "name": options.name,
        "slug": options.slug,
        "limits": dict(options.limit) or None,
        "redirect_hosts": options.redirect_hosts,
    }
    return {name: value for name, value in given.items() if value is not None}


def _limit(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    return name, int(number)


def _print(result: dict[str, Any]) -> None:
    for name, value in result.items():
        sys.stdout.write(f"{name:<14} {value}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shared.cli", description=__doc__)
    commands = parser.add_subparsers(required=True)
    first = commands.add_parser("bootstrap", help="make a workspace and its first key")
    first.set_defaults(run=_bootstrap)
    _add_options(first, name="First workspace")
    later = commands.add_parser("configure", help="change the settings of a workspace")
    later.set_defaults(run=_configure)
    later.add_argument("--workspace", required=True, help="id of the workspace")
    _add_options(later, name=None)
    return parser


def _add_options(command: argparse.ArgumentParser, name: str | None) -> None:
    command.add_argument("--stack", required=True, help="name of the CloudFormation stack")
    command.add_argument("--name", default=name, help="name of the workspace")
    command.add_argument("--slug", help="its short name: lower case, digits, hyphens")
    limits = (
        "configs, event_types, subscriptions, requests_per_minute or events_per_second, "
        "with a number"
    )
    command.add_argument(
        "--limit", action="append", default=[], type=_limit, metavar="NAME=N", help=limits
    )
    hosts = "all hosts that actions may redirect to, such as example.com *.example.com; or none"
    command.add_argument("--redirect-hosts", nargs="*", metavar="HOST", help=hosts)


if __name__ == "__main__":
    sys.exit(main())
