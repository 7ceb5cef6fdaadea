"""One cold start, measured from inside: run with `python -I -S`, a function's name or `floor`, the
services whose clients it makes first, and the folders to import from. Prints JSON.
"""

import sys

WHAT, SERVICES, FOLDERS = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
sys.path[:0] = FOLDERS


def floor() -> None:
    """What any function needs that logs, validates and calls these services."""
    import boto3
    from aws_lambda_powertools import Logger
    from pydantic import BaseModel

    Logger()
    assert BaseModel
    session = boto3.Session()
    for service in SERVICES:
        session.client(service)


def function(name: str) -> None:
    from importlib import import_module

    assert import_module(f"functions.{name}.handler").lambda_handler
    aws = import_module("shared.aws")
    for service in SERVICES:
        getattr(aws, service)()


def peak_kb() -> int:
    """Linux counts it from the start of this program; elsewhere it may be the parent's."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib would be one more import
            return int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    floor() if WHAT == "floor" else function(WHAT)
    import json
    import time

    cpu_ms = time.process_time() * 1000
    print(
        json.dumps({"cpu_ms": cpu_ms, "peak_mb": peak_kb() / 1024, "modules": sorted(sys.modules)})
    )
