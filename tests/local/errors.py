"""What can go wrong with the local stack, in words for the person at the keyboard."""

from pathlib import Path

LAST_LINES = 15


class LocalStackError(Exception):
    """Ends the command with its message; with a log, also with the log's last lines."""

    exit_code = 1

    def __init__(self, message: str, *, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log

    def explain(self) -> str:
        if self.log is None or not self.log.exists():
            return str(self)
        lines = self.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "\n".join([*(f"  | {line}" for line in lines), str(self), f"All of it: {self.log}"])


class PortError(LocalStackError):
    """The port that was asked for cannot be had."""

    exit_code = 2


class NotUpError(LocalStackError):
    def __init__(self, message: str = "The local stack is not running.") -> None:
        super().__init__(f"{message} Start it: make up")
