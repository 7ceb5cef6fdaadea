"""The page at /docs in a real browser, where there is one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.local.stack import Stack

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.mark.skipif(BROWSER is None, reason="needs a browser: apt-get install chromium")
def test_the_page_lists_every_group_of_operations(stack: Stack, tmp_path: Path) -> None:
    assert BROWSER is not None

    shown = subprocess.run(
        [
            *(BROWSER, *QUIET, f"--user-data-dir={tmp_path}", "--virtual-time-budget=10000"),
            *("--dump-dom", f"{stack.api_url}/docs"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    # Ids that only the page that was drawn has, not the document within it.
    for operation in ("Webhook_configs-rotate_secret", "Funnelytics-accept_action", "About-docs"):
        assert f'id="operations-{operation}"' in shown
