"""A process that posts as a worker does, and tells by how much its memory grew.

python -m tests.local.sender_process WARM_UP_URL URL
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared.outbound.response import Response
from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy

PARALLEL = 10
ROUNDS = 3


def _posted(sender: Sender, url: str) -> list[Response]:
    with ThreadPoolExecutor(PARALLEL) as threads:
        return list(threads.map(lambda _: sender.post(url, {}, b"{}"), range(PARALLEL)))


def _peak_bytes() -> int:
    """The most of this program that ever was in memory; getrusage counts its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main(warm_up: str, url: str) -> None:
    with Sender(Policy(allow_private=True)) as sender:
        for _ in range(ROUNDS):
            _posted(sender, warm_up)
        before = _peak_bytes()
        answers = [answer for _ in range(ROUNDS) for answer in _posted(sender, url)]
        grown = _peak_bytes() - before
    told = [answer.model_dump(mode="json") for answer in answers]
    print(json.dumps({"grown_bytes": grown, "answers": told}))


if __name__ == "__main__":
    main(*sys.argv[1:])
