"""Which functions of ours are called while something happens."""

import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any


class Called:
    """How often each named function was called. Lambdas and comprehensions are left out."""

    def __init__(self, *parts: "Called") -> None:
        self.codes: Counter[CodeType] = sum((part.codes for part in parts), Counter())

    @property
    def files(self) -> set[Path]:
        return {Path(code.co_filename) for code in self.codes}

    @property
    def functions(self) -> int:
        return len(self.codes)

    @property
    def calls(self) -> int:
        return self.codes.total()


class Trace:
    """Within `attached`, this thread is observed, and so is each thread that starts there."""

    def __init__(self, places: Sequence[Path]) -> None:
        """`places` are modules, and folders whose modules are ours."""
        self._ours = tuple(str(at) if at.suffix == ".py" else f"{at}/" for at in places)
        self._called: Called | None = None

    @contextmanager
    def attached(self) -> Iterator[None]:
        before = threading.getprofile(), sys.getprofile()
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(before[1])
            threading.setprofile(before[0])

    @contextmanager
    def taken(self) -> Iterator[Called]:
        """What is called within, complete at the end."""
        self._called = called = Called()
        try:
            yield called
        finally:
            self._called = None

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        called, code = self._called, frame.f_code
        if called is None or event != "call" or code.co_name.startswith("<"):
            return
        if code.co_filename.startswith(self._ours):
            called.codes[code] += 1
