"""`python -m shared.cli COMMAND`"""

import click

from shared.cli import deliveries, events, keys, queues, replays, status, workspaces

COMMANDS = (
    status.status,
    deliveries.tail,
    deliveries.deliveries,
    events.events,
    deliveries.resend,
    replays.replay,
    queues.redrive,
    keys.keys,
    workspaces.bootstrap,
    workspaces.configure,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Operate Funnelhooks: --stack NAME on AWS, --local for the stack of `make up`, --standalone
    for the program of `make serve`.

    The API is called with the key in FUNNELHOOKS_API_KEY, or with the key that `make up` or
    `make serve` has made.
    """


for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="python -m shared.cli")
