"""What a slow command says while it works: plain lines, with or without a terminal."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(title: str, *, every_s: float = 5) -> Iterator[None]:
    """Say what starts, every few seconds that it goes on, and how long it took."""
    started = time.monotonic()
    print(f"{title} …", flush=True)
    done = threading.Event()

    def remind() -> None:
        while not done.wait(every_s):
            print(f"  still at it, {time.monotonic() - started:.0f} s", flush=True)

    reminder = threading.Thread(target=remind, daemon=True)
    reminder.start()
    try:
        yield
    finally:
        done.set()
        reminder.join()
    print(f"  done in {time.monotonic() - started:.1f} s", flush=True)
