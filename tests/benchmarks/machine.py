"""Where and with what something was measured."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("boto3", "botocore", "pydantic", "aws-lambda-powertools", "requests", "urllib3", "moto")


def facts() -> dict[str, str]:
    return {
        "machine": f"{platform.machine()}, {_processor()}, {os.cpu_count()} cores, {_memory()}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "commit": _commit(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _memory() -> str:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return f"{pages * size / 2**30:.0f} GB"


def _commit() -> str:
    """Of which this is a run, and whether anything but the page with the figures was changed."""
    changed = _git("status", "--porcelain", "--", ".", ":!docs/performance.md")
    return _git("describe", "--always") + ("-dirty" if changed else "")


def _git(*asked: str) -> str:
    answer = subprocess.run(["git", *asked], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
