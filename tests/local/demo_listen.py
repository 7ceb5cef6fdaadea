"""Shows what it is sent: `python -m tests.local.demo_listen [port]`, 9000 if none is named."""

import sys
import time
from contextlib import suppress

from tests.local.receiver import Received, Receiver

PORT = 9000


def main(port: int) -> int:
    try:
        receiver = Receiver(port=port)
    except (OSError, OverflowError) as error:
        print(f"Port {port} cannot be listened at ({error}). Name another one.", file=sys.stderr)
        return 2
    with receiver:
        print(f"Listening at {receiver.url()} and answering 200; Ctrl-C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            _show_for_ever(receiver)
    return 0


def _show_for_ever(receiver: Receiver) -> None:
    shown = 0
    while True:
        for request in receiver.requests()[shown:]:
            _show(request)
            shown += 1
        time.sleep(0.1)


def _show(request: Received) -> None:
    print(f"\n{request.method} {request.path}")
    for name, value in request.headers.items():
        print(f"{name}: {value}")
    print(f"\n{request.body.decode(errors='replace')}", flush=True)


if __name__ == "__main__":
    if any(not text.isdecimal() for text in sys.argv[1:]):
        sys.exit("Usage: python -m tests.local.demo_listen [port]")
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else PORT))
