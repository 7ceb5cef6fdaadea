"""The whole platform on this machine: `python -m tests.local.stack up|down|status|logs`.

`up` ends with everything that a client needs in `<state>/stack.json`, and what a shell needs in
`<state>/stack.env`. The state folder is `.local`, or what FUNNELHOOKS_STATE says, so that several
stacks can run beside each other.
"""

import argparse
import fcntl
import json
import os
import shutil
import sys
import time
import urllib.error
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from pydantic import BaseModel, ConfigDict, ValidationError

from tests.local import emulator, sam
from tests.local.emulator import Emulator
from tests.local.errors import LocalStackError, NotUpError, PortError
from tests.local.progress import step

# Parameters of the template that differ from their defaults on this machine.
LOCAL_PARAMETERS = {
    "Architecture": sam.architecture(),
    "AllowPrivateTargets": "true",
}
KEPT = {"tools", "dependencies", "setup.log", "lock"}


class Credentials(BaseModel):
    model_config = ConfigDict(frozen=True)

    access_key_id: str = sam.ACCESS_KEY
    secret_access_key: str = sam.SECRET_KEY


class Stack(BaseModel):
    """What `up` leaves behind for clients and tests."""

    model_config = ConfigDict(frozen=True)

    api_url: str
    workspace_id: str
    api_key: str
    endpoint_url: str
    region: str = sam.REGION
    stack_name: str = sam.STACK_NAME
    credentials: Credentials = Credentials()
    outputs: dict[str, str]
    fingerprint: str
    emulator: Emulator

    @classmethod
    def load(cls, state: Path | None = None) -> "Stack":
        """Raises NotUpError, in words for the user, when there is none."""
        stack = _read(state or state_folder())
        if stack is None or not stack.emulator.is_running():
            raise NotUpError
        return stack

    def client(self, service: str) -> Any:
        """A boto3 client of the deployer, who may do everything."""
        return _client(service, self.endpoint_url)


def state_folder() -> Path:
    return Path(os.environ.get("FUNNELHOOKS_STATE") or ".local")


def up(
    state: Path | None = None,
    *,
    port: int | None = None,
    parameters: Mapping[str, str] | None = None,
    minute_s: float = 60,
) -> Stack:
    """Start the stack, mend it, or bring it up to date.

    `parameters` go over LOCAL_PARAMETERS. A schedule's minute lasts `minute_s`, as long as the
    emulator lives.
    """
    state = state or state_folder()
    wanted = {**LOCAL_PARAMETERS, **(parameters or {})}
    with _alone(state):
        running, known = _running_emulator(state, port, minute_s)
        fingerprint = sam.fingerprint(wanted)
        if known and known.fingerprint == fingerprint and _is_healthy(known.api_url):
            print(f"The local stack is up and up to date: {known.api_url}")
            return known
        stack = _deploy(state, running, wanted, fingerprint, known)
        print(f"The local stack is up: {stack.api_url}  (everything else: {state}/stack.json)")
        return stack


def down(state: Path | None = None) -> None:
    """Stop the stack and remove its state; nothing happens when there is none."""
    state = state or state_folder()
    if not state.exists():
        print("The local stack is not running.")
        return
    with _alone(state):
        running = _read_emulator(state)
        if running and running.is_running():
            running.stop()
            print(f"The local stack on port {running.port} is stopped, and its data is gone.")
        else:
            print("The local stack is not running.")
        for path in state.iterdir():
            if path.name in KEPT or _is_state_folder(path):
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def function_logs(stack: Stack) -> Iterator[str]:
    """Every line that the functions have written, log group by log group."""
    logs = stack.client("logs")
    for groups in logs.get_paginator("describe_log_groups").paginate():
        for group in groups["logGroups"]:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"]
            )
            yield from (event["message"] for page in pages for event in page["events"])


def _running_emulator(
    state: Path, port: int | None, minute_s: float
) -> tuple[Emulator, Stack | None]:
    """A MiniStack that answers, and the stack that is in it, if there is one."""
    left, known = _read_emulator(state), _read(state)
    if left and known and left.is_running() and left.answers():
        if port not in (None, left.port):
            raise PortError(
                f"The local stack runs on port {left.port}. To move it to {port}: make down first."
            )
        return left, known
    if left:
        print(f"{_what_is_left(left)}: starting anew.")
        left.stop()
        (state / "stack.json").unlink(missing_ok=True)
    with step("Starting MiniStack"):
        started = emulator.start(
            state, port, preferred=left.port if left else None, minute_s=minute_s
        )
    (state / "emulator.json").write_text(started.model_dump_json())
    return started, None


def _what_is_left(left: Emulator) -> str:
    if left.is_running():
        return "The last start did not come to its end" if left.answers() else "MiniStack hangs"
    return "MiniStack has died, and its data with it"


def _deploy(
    state: Path,
    running: Emulator,
    parameters: Mapping[str, str],
    fingerprint: str,
    known: Stack | None,
) -> Stack:
    (state / "sam.log").unlink(missing_ok=True)
    if known:  # What is deployed is uncertain until this has come to its end.
        _write(state, known.model_copy(update={"fingerprint": ""}))
    with step("Building the functions (sam build)"):
        sam.build(state)
    with step("Deploying the template (sam deploy)"):
        _make_bucket(running)
        sam.deploy(state, running.endpoint_url, parameters)
    outputs = _outputs(running)
    api_url = _publish_api(running)
    with step("Waiting for the API"):
        _wait_until_healthy(api_url)
    workspace = (
        {"workspace_id": known.workspace_id, "api_key": known.api_key}
        if known
        else _bootstrap(running, outputs["ConfigsFunctionName"])
    )
    stack = Stack(
        api_url=api_url,
        endpoint_url=running.endpoint_url,
        outputs=outputs,
        fingerprint=fingerprint,
        emulator=running,
        **workspace,
    )
    _write(state, stack)
    return stack


def _make_bucket(running: Emulator) -> None:
    _client("s3", running.endpoint_url).create_bucket(Bucket=sam.BUCKET)


def _outputs(running: Emulator) -> dict[str, str]:
    described = _client("cloudformation", running.endpoint_url).describe_stacks(
        StackName=sam.STACK_NAME
    )
    outputs = described["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def _publish_api(running: Emulator) -> str:
    """Give the API a host name of its own, as a custom domain does on AWS.

    MiniStack's other addresses need a name that not every machine resolves, or a path before ours.
    """
    resources = _client("cloudformation", running.endpoint_url).describe_stack_resources(
        StackName=sam.STACK_NAME
    )["StackResources"]
    (api_id,) = (
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::ApiGatewayV2::Api"
    )
    gateway = _client("apigatewayv2", running.endpoint_url)
    if any(item["DomainName"] == emulator.HOST for item in gateway.get_domain_names()["Items"]):
        gateway.delete_domain_name(DomainName=emulator.HOST)
    gateway.create_domain_name(DomainName=emulator.HOST)
    gateway.create_api_mapping(DomainName=emulator.HOST, ApiId=api_id, Stage="$default")
    return f"http://{emulator.HOST}:{running.port}"


def _bootstrap(running: Emulator, function_name: str) -> dict[str, str]:
    """The first workspace and its key, as an operator makes them on AWS."""
    answer = _client("lambda", running.endpoint_url).invoke(
        FunctionName=function_name,
        Payload=json.dumps({"operation": "bootstrap", "name": "Local"}),
    )
    result = json.load(answer["Payload"])
    if "FunctionError" in answer:
        raise LocalStackError(f"No workspace could be made: {result.get('errorMessage', result)}")
    return {key: result[key] for key in ("workspace_id", "api_key")}


def _client(service: str, endpoint_url: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint_url,
        region_name=sam.REGION,
        aws_access_key_id=sam.ACCESS_KEY,
        aws_secret_access_key=sam.SECRET_KEY,
        config=Config(proxies={}),
    )


def _is_healthy(api_url: str) -> bool:
    return _health(api_url) == "200"


def _wait_until_healthy(api_url: str, *, timeout_s: float = 300) -> None:
    deadline = time.monotonic() + timeout_s
    while (answer := _health(api_url)) != "200":
        if time.monotonic() > deadline:
            raise LocalStackError(f"{api_url}/health does not answer 200 but: {answer}")
        time.sleep(0.2)


def _health(api_url: str) -> str:
    try:
        with emulator.DIRECT.open(f"{api_url}/health", timeout=30) as response:
            return str(response.status)
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read(500).decode(errors='replace')}"
    except OSError as error:
        return str(error)


def _read(state: Path) -> Stack | None:
    try:
        return Stack.model_validate_json((state / "stack.json").read_text())
    except (FileNotFoundError, ValidationError):
        return None


def _write(state: Path, stack: Stack) -> None:
    (state / "stack.json").write_text(stack.model_dump_json(indent=2) + "\n")
    shown = {"API": stack.api_url, "KEY": stack.api_key, "WORKSPACE": stack.workspace_id}
    lines = "".join(f"export {name}={value}\n" for name, value in shown.items())
    (state / "stack.env").write_text(lines)


def _read_emulator(state: Path) -> Emulator | None:
    try:
        return Emulator.model_validate_json((state / "emulator.json").read_text())
    except (FileNotFoundError, ValidationError):
        return None


def _is_state_folder(folder: Path) -> bool:
    return (folder / "emulator.json").exists()


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """One command at a time may change a state folder."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _status() -> int:
    try:
        stack = Stack.load()
    except NotUpError as error:
        print(error)
        return 1
    print(f"The local stack is up: {stack.api_url}, AWS endpoint {stack.endpoint_url}")
    return 0


def _asked_port() -> int | None:
    asked = os.environ.get("FUNNELHOOKS_PORT")
    if not asked:
        return None
    if not asked.isdecimal() or not 0 < int(asked) < 65536:
        raise PortError(f"FUNNELHOOKS_PORT is no port number: {asked}")
    return int(asked)


def main(command: str) -> int:
    try:
        if command == "status":
            return _status()
        if command == "up":
            up(port=_asked_port())
        elif command == "logs":
            for line in function_logs(Stack.load()):
                print(line)
        else:
            down()
    except LocalStackError as error:
        print(error.explain(), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Interrupted. `make up` goes on where this ended.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.local.stack")
    parser.add_argument("command", choices=["up", "down", "status", "logs"])
    sys.exit(main(parser.parse_args().command))
