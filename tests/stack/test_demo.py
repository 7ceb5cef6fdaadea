"""The demo runs the main job on real input, and nothing of that input gets into a log."""

import json
import os
import subprocess
import sys
from pathlib import Path

from shared.dialects import DIALECTS
from shared.events.models import TriggerType
from tests.local.stack import Stack, function_logs, state_folder
from tests.local.standalone import Standalone

EVENTS = Path("events")


def test_the_demo_delivers_everything_and_leaves_no_secret_and_no_payload_in_a_log(
    stack: Stack | Standalone,
) -> None:
    is_standalone = isinstance(stack, Standalone)
    state = stack.data.parent if isinstance(stack, Standalone) else state_folder()
    ran = subprocess.run(
        [sys.executable, "-m", "tests.local.demo", "standalone" if is_standalone else "ministack"],
        env=os.environ | {"FUNNELHOOKS_STATE": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = _lines(stack)
    assert any("attempt.settled" in line for line in lines)
    for word in _confidential(stack):
        found = [line for line in lines if word in line]
        assert not found, f"{word!r} is in the log: {found[0]}"


def _lines(stack: Stack | Standalone) -> list[str]:
    if isinstance(stack, Standalone):
        return (stack.data.parent / "standalone.log").read_text(encoding="utf-8").splitlines()
    return list(function_logs(stack))


def _confidential(stack: Stack | Standalone) -> set[str]:
    """The key, whatever a secret starts with, and what people and their orders are called."""
    words = {stack.api_key, "whsec_", "Basic ", "webhook-signature", "v1,"}
    for sample in EVENTS.glob("payload_*.json"):
        words |= {text for text in _texts(json.loads(sample.read_text())) if len(text) > 8}
    return words - {*TriggerType, *DIALECTS}


def _texts(value: object) -> set[str]:
    if isinstance(value, dict):
        return {text for inner in value.values() for text in _texts(inner)}
    if isinstance(value, list):
        return {text for inner in value for text in _texts(inner)}
    return {value} if isinstance(value, str) else set()
