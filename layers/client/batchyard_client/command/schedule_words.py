"""The words of the command line for schedules: `batchyard schedule …`."""

from typing import Any

import click

from .cli import COMMON, SENDING, batchyard, with_options

__all__ = ["batchyard"]
WHEN_HELP = "When: 'rate(1 day)', 'cron(0 2 * * ? *)' or 'at(2026-12-31T08:00:00)'."
ENDPOINT_HELP = "The endpoint of the requests, as /v1/chat/completions."
OF_BATCHES = SENDING[1:7]  # those that every batch of a schedule has
WHEN = (
    click.option("--schedule", required=True, help=WHEN_HELP),
    click.option("--timezone", help="The time zone of the clock, as Europe/Berlin; UTC where it is not named."),
    click.option("--endpoint", required=True, help=ENDPOINT_HELP),
    click.option("--overlap", type=click.Choice(["skip", "queue"]), help="What a firing does while the batch before runs."),
    click.option("--hours", metavar="HH:MM-HH:MM", help="The hours in which a batch may begin."),
    click.option("--min-lines", type=click.IntRange(1), help="Of a folder: no batch of fewer lines."),
    click.option("--min-bytes", type=click.IntRange(1), help="Of a folder: no batch of fewer bytes."),
    click.option("--start-at-lines", type=click.IntRange(1), help="Of a folder: so many lines start a batch at once."),
    click.option("--start-at-bytes", type=click.IntRange(1), help="Of a folder: so many bytes start a batch at once."),
    click.option("--max-wait", type=click.IntRange(60), metavar="SECONDS", help="Of a folder: the longest that a file waits."),
)  # fmt: skip
# The options of a change are those of a new schedule; what is not named stays.
CHANGES = (
    click.option("--name", help="Another name."),
    click.option("--input", "source", metavar="SOURCE", help="Another object or folder, as for create."),
    click.option("--schedule", help=WHEN_HELP),
    click.option("--endpoint", help=ENDPOINT_HELP),
    WHEN[1],
    *WHEN[3:],
    click.option("--window", help="The completion window."),
    click.option(
        "--unset", multiple=True, metavar="MEMBER", help="Have none of this, as --unset hours; may be repeated."
    ),
)


@batchyard.group()
def schedule() -> None:
    """Make batches by the clock: of one object, or of what came into a folder."""


@schedule.command()
@click.argument("name")
@click.argument("source")
@with_options(WHEN, OF_BATCHES, COMMON)
def create(name: str, source: str, **asked: Any) -> int:  # noqa: ANN401 - options of click
    """Make a schedule.

    SOURCE is the key of an object, as inbox/default/daily.jsonl, whose newest version each firing runs; or a folder, as
    gather/default/tickets/, of which each firing gathers the new files.
    """
    from . import schedules  # noqa: PLC0415 - the command alone needs it

    return schedules.create(name, source, asked)


@schedule.command()
@click.argument("named", metavar="ID_OR_NAME")
@with_options(CHANGES, OF_BATCHES[:-1], COMMON)
def change(named: str, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Change a schedule: what is named, and nothing else."""
    from . import schedules  # noqa: PLC0415 - as above

    return schedules.change(named, asked)


@schedule.command("list")
@with_options(COMMON)
def list_(**asked: Any) -> int:  # noqa: ANN401 - as above
    """List the schedules, with their last and their next firing."""
    from . import schedules  # noqa: PLC0415 - as above

    return schedules.listed(asked)


@schedule.command()
@click.argument("named", metavar="ID_OR_NAME")
@with_options(COMMON)
def show(named: str, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Show a schedule, with every option of its batches."""
    from . import schedules  # noqa: PLC0415 - as above

    return schedules.show(named, asked)


@schedule.command("run")
@click.argument("named", metavar="ID_OR_NAME")
@with_options(COMMON)
def run_(named: str, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Fire a schedule now, wait until its batch is made, and print the id of the batch."""
    from . import schedules  # noqa: PLC0415 - as above

    return schedules.run(named, asked)


@schedule.command()
@click.argument("named", metavar="ID_OR_NAME")
@with_options(COMMON)
def delete(named: str, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Delete a schedule; its batches stay, and those that run go on."""
    from . import schedules  # noqa: PLC0415 - as above

    return schedules.delete(named, asked)


@schedule.command("batches")
@click.argument("named", metavar="ID_OR_NAME")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many of the newest batches.")
@with_options(COMMON)
def batches_(named: str, limit: int, **asked: Any) -> int:  # noqa: ANN401 - as above
    """List the batches that a schedule made."""
    from . import schedules  # noqa: PLC0415 - as above

    return schedules.batches(named, limit, asked)
