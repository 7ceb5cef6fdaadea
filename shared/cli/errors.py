"""What ends a command: a sentence that says what to do, and an exit code."""

import click


class CommandError(click.ClickException):
    """1: what was asked for cannot be done."""

    exit_code = 1


class UnreachableError(CommandError):
    """3: the stack, the API or AWS does not answer."""

    exit_code = 3
