"""The words of the command line. Nothing heavy is imported before a command needs it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import reduce
from typing import Any

import click

Command = Callable[..., Any]

USD = click.FloatRange(0, min_open=True)
DAY = click.DateTime(["%Y-%m-%d"])
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "auto_envvar_prefix": None}


def _named(_context: click.Context, _option: click.Parameter, out: str | None) -> str | None:
    """Refuse standard output as a place for results: these are proved whole before they get their name."""
    if out == "-":
        raise click.BadParameter(
            "results need a file. Name one, and then print it: --out answers.csv && cat answers.csv"
        )
    return out


RECIPE = (
    click.option("--model", help="The model that answers."),
    click.option("--prompt", help="The question for each row; {column} stands for the cell."),
    click.option("--system", help="The system message, with columns like the prompt."),
    click.option("--body", type=click.Path(dir_okay=False), help="A JSON file with any members of each request's body."),
    click.option("--image-column", help="The column with images: addresses or paths."),
    click.option("--schema", type=click.Path(dir_okay=False), help="A JSON schema of the answers; its members become columns."),
    click.option("--embed", help="The column whose text is embedded."),
    click.option("--endpoint", help="The endpoint, such as /v1/responses; usually it follows from the rest."),
    click.option("--nulls", type=click.Choice(["refuse", "skip", "empty"]), help="What to do with a row whose cell is null."),
    click.option("--format", help="The format of the table, where its name does not tell."),
    click.option("--encoding", help="The encoding of a CSV that is not UTF-8."),
)  # fmt: skip
PROVIDER = click.option("--provider", metavar="NAME", help="Which of several providers answers; else the models say.")
SENDING = (
    click.option("--new", is_flag=True, help="Make another batch of a content that was sent before."),
    click.option("--max-cost", type=USD, metavar="USD", help="Refuse a batch that is estimated above this."),
    click.option("--on-invalid", type=click.Choice(["refuse", "skip"]), help="What to do with bad lines."),
    click.option("--accept", metavar="JSON", help="Which answers count as success, as the page of results says."),
    PROVIDER,
    click.option("--metadata", multiple=True, metavar="NAME=VALUE", help="Kept with the batch; may be repeated."),
    click.option("--window", help="The completion window.", default="24h", show_default=True),
    click.option("--estimate/--no-estimate", default=True, help="Estimate the dollars first (only Batchyard can)."),
    click.option("--pack/--no-pack", default=None, help="Pack the upload; usually where that is faster."),
)
COMMON = (
    click.option("--url", help="The service; else BATCHYARD_URL, or the login."),
    click.option("--key", help="Its key; else BATCHYARD_KEY, or the login."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and plain lines about progress."),
    click.option("--quiet", "-q", is_flag=True, help="Print nothing but the result."),
    click.option("--patience", type=float, default=3600.0, help="Seconds without a connection before giving up.", hidden=True),
)  # fmt: skip
OUT = click.option("--out", "-o", callback=_named, help="A folder/, a .jsonl, or a table: .csv, .parquet, …")


def with_options(*groups: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """Give a command the options of some groups."""
    options = [option for group in groups for option in group]
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


@click.group(context_settings=SETTINGS)
@click.version_option(package_name="batchyard-client", prog_name="batchyard")
def batchyard() -> None:
    """Send rows or requests of any number through batch APIs, at half price.

    Exit status: 0 all good, 1 some rows failed, 2 wrong usage, 3 refused, 4 stopped (the same command goes on).
    """


@batchyard.command()
@click.option("--url", help="The address of the API, which ends in /v1.")
@click.option("--key", help="The key; else it is asked for, or read from a pipe.")
def login(url: str | None, key: str | None) -> None:
    """Keep address and key of a service, in a file that you alone can read."""
    from . import doing  # noqa: PLC0415 - the command alone needs it

    doing.login(url, key)


@batchyard.command()
@click.argument("source")
@with_options([OUT], RECIPE, SENDING, COMMON)
def run(source: str, out: str | None, **asked: Any) -> int:  # noqa: ANN401 - options of click
    """Send a table or a file of requests, wait, and write the answers.

    SOURCE is a .csv, .tsv, .parquet, .arrow, .json or .jsonl, also as .gz or .zst, or an s3:// address.
    The same command again takes up the same batch: nothing is paid twice.
    """
    from . import doing  # noqa: PLC0415 - as above

    return doing.run(source, out, asked)


@batchyard.command()
@click.argument("source")
@with_options(RECIPE, SENDING, COMMON)
def submit(source: str, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Send as `run` does, print the id of the batch, and do not wait."""
    from . import doing  # noqa: PLC0415 - as above

    return doing.submit(source, asked)


@batchyard.command()
@click.argument("source")
@with_options(RECIPE, SENDING, COMMON)
def estimate(source: str, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Upload and estimate; nothing is sent to a provider."""
    from . import doing  # noqa: PLC0415 - as above

    return doing.estimate(source, asked)


@batchyard.command()
@click.argument("batch_id")
@with_options(COMMON)
def watch(batch_id: str, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Show the progress of a batch until it has ended."""
    from . import doing  # noqa: PLC0415 - as above

    return doing.watch(batch_id, asked)


@batchyard.command()
@click.argument("batch_id", required=False)
@with_options(COMMON)
def status(batch_id: str | None, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Show how a batch stands, or the newest batches."""
    from . import looking  # noqa: PLC0415 - as above

    return looking.status(batch_id, asked) if batch_id else looking.listed(10, asked)


@batchyard.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many of the newest batches.")
@click.option("--all", "estimates", is_flag=True, help="List estimates too, which sent nothing.")
@with_options(COMMON)
def list_(limit: int, estimates: bool, **asked: Any) -> int:  # noqa: ANN401 - as above
    """List the newest batches."""
    from . import looking  # noqa: PLC0415 - as above

    return looking.listed(limit, asked, estimates=estimates)


@batchyard.command()
@click.argument("batch_id")
@click.option("--input", "source", help="The input, where this machine does not know it.")
@click.option(
    "--files", is_flag=True, help="Of a gather folder: also the results of each file, in folders of their own."
)
@with_options([OUT], RECIPE, COMMON)
def fetch(batch_id: str, source: str | None, out: str | None, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Wait for the end of a batch, and write its answers."""
    from . import doing  # noqa: PLC0415 - as above

    return doing.fetch(batch_id, source, out, asked)


@batchyard.command()
@click.argument("batch_id")
@with_options(COMMON)
def cancel(batch_id: str, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Cancel a batch; what is finished is kept."""
    from . import doing  # noqa: PLC0415 - as above

    return doing.cancel(batch_id, asked)


@batchyard.command()
@click.argument("batch_id")
@with_options(COMMON)
def resume(batch_id: str, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Have a batch that waits try at once."""
    from . import doing  # noqa: PLC0415 - as above

    return doing.resume(batch_id, asked)


@batchyard.command()
@click.argument("batch_id")
@click.option(
    "--lines", type=click.Choice(["errors", "cancelled"]), help="Which rows: all without success, or unsent ones."
)
@click.option("--max-cost", type=USD, metavar="USD", help="Refuse a batch that is estimated above this.")
@PROVIDER
@click.option("--new", is_flag=True, help="Make another retry of a batch that has one.")
@with_options([OUT], COMMON)
def retry(batch_id: str, out: str | None, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Send again what failed in an ended batch, as a new batch with whole results."""
    from . import doing  # noqa: PLC0415 - as above

    return doing.retry(batch_id, out, asked)


@batchyard.command()
@click.option("--from", "first", type=DAY, metavar="DAY", help="The first day, as 2026-11-01.")
@click.option("--to", "last", type=DAY, metavar="DAY", help="The last day.")
@click.option("--by", type=click.Choice(["day", "model", "provider", "batch"]), default="day", show_default=True)
@with_options(COMMON)
def usage(first: datetime | None, last: datetime | None, by: str, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Show tokens and dollars, this month's if no days are named."""
    from . import looking  # noqa: PLC0415 - as above

    days = (None if day is None else f"{day:%Y-%m-%d}" for day in (first, last))
    return looking.usage({**dict(zip(("from", "to"), days, strict=True)), "group_by": by}, asked)


@batchyard.command()
@click.argument("batch_id")
@click.option("--html", is_flag=True, help="Write one page for a browser, with a sample of the answers.")
@click.option("--out", "-o", callback=_named, help="The name of the page.")
@with_options(COMMON)
def report(batch_id: str, out: str | None, html: bool, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Print the report of a batch, or write it as a page."""
    from . import reporting  # noqa: PLC0415 - as above

    return reporting.report(batch_id, out, html=html, asked=asked)


@batchyard.command("open")
@click.argument("batch_id", required=False)
@click.option("--console", is_flag=True, help="Open the page of the batch in the console of the service.")
@with_options([OUT], COMMON)
def open_(batch_id: str | None, console: bool, out: str | None, **asked: Any) -> int:  # noqa: ANN401 - as above
    """Fetch the results of a batch, and open them with the program that you have for them.

    Without BATCH_ID open the console of the service in a browser.
    """
    from . import doing  # noqa: PLC0415 - as above

    if batch_id is None or console:
        return doing.open_console(batch_id, asked)
    return doing.open_results(batch_id, out, asked)


@batchyard.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion of a shell, as in: eval "$(batchyard completion bash)"."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - as above

    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(batchyard, {}, "batchyard", "_BATCHYARD_COMPLETE").source())
