"""The real `sam build` and `sam deploy`, pointed at the local emulator."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.local.emulator import PYTHON as FUNCTION_PYTHON
from tests.local.errors import LocalStackError

STACK_NAME = "funnelhooks"
BUCKET = "funnelhooks-artefacts"
REGION = "us-east-1"
# MiniStack's root user. Anything else is a stranger to it.
ACCESS_KEY = SECRET_KEY = "test"

SOURCES = (
    "template.yaml",
    "samconfig.toml",
    "Makefile",
    "requirements/runtime.txt",
    "functions",
    "shared",
)
SAM = (".local/tools/sam/bin/python", "-m", "samcli")


def architecture() -> str:
    return "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


def fingerprint(parameters: Mapping[str, str]) -> str:
    """Changes when a deployment could."""
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    for path in _source_files():
        digest.update(f"\0{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def build(state: Path) -> None:
    """Functions run on MiniStack's own Python, whatever the template's Runtime says."""
    environment = {"FUNCTION_PLATFORM": "host", "FUNCTION_PYTHON": _function_python()}
    _run(state, ["make", "dependencies"], environment)
    _run(state, [*SAM, "build", "--build-dir", str(_built(state))], environment)


def deploy(state: Path, endpoint_url: str, parameters: Mapping[str, str]) -> None:
    overrides = [f"ParameterKey={key},ParameterValue={value}" for key, value in parameters.items()]
    command = [
        *SAM,
        *("deploy", "--template-file", str(_built(state) / "template.yaml")),
        *("--stack-name", STACK_NAME, "--region", REGION),
        *("--no-resolve-s3", "--s3-bucket", BUCKET, "--capabilities", "CAPABILITY_IAM"),
        *("--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
        *("--parameter-overrides", *overrides),
    ]
    _run(state, command, _aws(endpoint_url))


def _built(state: Path) -> Path:
    return state / "sam" / "build"


def _aws(endpoint_url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        # No profile of the developer's may lead this deployment to AWS.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_POLL_DELAY": "0.5",
        "NO_PROXY": "localhost",
        "no_proxy": "localhost",
    }


def _run(state: Path, command: list[str], environment: Mapping[str, str]) -> None:
    log = state / "sam.log"
    inherited = {
        key: value
        for key, value in os.environ.items()
        # Make's own flags would reach the make that SAM calls.
        if not key.startswith("AWS_") and key not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    }
    with log.open("ab") as output:
        output.write(f"$ {' '.join(command)}\n".encode())
        output.flush()
        finished = subprocess.run(
            command,
            env={**inherited, "SAM_CLI_TELEMETRY": "0", **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if finished.returncode:
        raise LocalStackError(f"`{' '.join(command[:4])}` failed.", log=log)


def _function_python() -> str:
    asked = [str(FUNCTION_PYTHON), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def _source_files() -> Iterator[Path]:
    for source in map(Path, SOURCES):
        files = source.rglob("*") if source.is_dir() else [source]
        yield from sorted(
            path for path in files if path.is_file() and "__pycache__" not in path.parts
        )
