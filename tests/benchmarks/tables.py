"""Making request lines of a Parquet file, against pyarrow and `json.dumps` by hand."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from batchyard_client import tables
from tests.benchmarks.inputs import CACHE, MODEL, WORDS
from tests.benchmarks.measure import MB, Job, interleaved, run
from tests.benchmarks.row import Row

PROMPT = "Sentiment of: {text}"
BYTES_OF_ROW = 400
ROWS, ROWS_OF_FULL = 500_000, 5_000_000
GROUP = 1_000_000  # pyarrow's own choice
MOST_MEMORY = 200 * MB
SCHEMA = pa.schema([("id", pa.int64()), ("text", pa.string()), ("lang", pa.string())])


def ours(path: str) -> Callable[[], None]:
    """Prepare the lines as `batchyard run` sends them."""

    def work() -> None:
        table = tables.read(path)
        _check(sum(map(len, tables.requests(table, tables.Recipe(model=MODEL, prompt=PROMPT)))), path)

    return work


def by_hand(path: str) -> Callable[[], None]:
    """Prepare the baseline: the loop that people write."""

    def work() -> None:
        _check(sum(map(len, _dumped(path))), path)

    return work


def written(path: str, target: str) -> Callable[[], None]:
    """Prepare the answers to stand beside their rows."""

    def work() -> None:
        table = tables.read(path)
        found = tables.write(target, table, tables.Recipe(model=MODEL, prompt=PROMPT), _answers(_rows_of(path)))
        if found.rows != _rows_of(path):
            raise AssertionError(f"{found.rows} rows were written")
        Path(target).unlink()

    return work


def _check(size: int, path: str) -> None:
    if size < _rows_of(path) * BYTES_OF_ROW:
        raise AssertionError(f"the lines have only {size} bytes")


def _rows_of(path: str) -> int:
    rows: int = parquet.ParquetFile(path).metadata.num_rows
    return rows


def _dumped(path: str) -> Iterator[bytes]:
    number = 0
    for batch in parquet.ParquetFile(path).iter_batches(columns=["text"]):
        for row in batch.to_pylist():
            number += 1
            messages = [{"role": "user", "content": PROMPT.format(text=row["text"])}]
            body = {"model": MODEL, "messages": messages}
            line = {"custom_id": f"row-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
            yield json.dumps(line).encode() + b"\n"


def _answers(rows: int) -> Iterator[bytes]:
    body = {
        "model": MODEL,
        "choices": [{"message": {"content": "Positive, on the whole."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 90, "completion_tokens": 6},
    }
    response = json.dumps({"status_code": 200, "body": body}).encode()
    for number in range(1, rows + 1):
        yield b'{"custom_id":"row-%d","error":null,"response":%b}\n' % (number, response)


def _table(rows: int) -> Path:
    """Return a Parquet file of so many rows, made once."""
    path = CACHE / f"table-{rows}.parquet"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        with parquet.ParquetWriter(partial, SCHEMA, compression="none", use_dictionary=["lang"]) as file:
            for start in range(0, rows, GROUP):
                file.write_table(_some(start, min(GROUP, rows - start)), row_group_size=GROUP)
        partial.rename(path)
    return path


def _some(start: int, count: int) -> pa.Table:
    chance = random.Random(start)  # noqa: S311 - made the same each time
    words = chance.choices(WORDS.split(), k=100_000)
    prose = " ".join(words)
    starts = chance.choices(range(len(prose) - BYTES_OF_ROW), k=count)
    texts = [prose[at : at + BYTES_OF_ROW] for at in starts]
    langs = chance.choices(("en", "de", "fr"), k=count)
    return pa.table([range(start, start + count), texts, langs], schema=SCHEMA)


def rows(*, full: bool) -> Iterator[Row]:
    """Compare on 200 MB; with `full`, measure the memory at 5 M rows (2 GB)."""
    path = _table(ROWS)
    jobs = {"ours": Job("tables", "ours", [str(path)]), "by hand": Job("tables", "by_hand", [str(path)])}
    found = interleaved(jobs, 5)
    yield Row.ratio("tables: Parquet to request lines: CPU / pyarrow and json", found["ours"], found["by hand"], 0.25)
    rate = ROWS / found["ours"].cpu / 1000
    yield Row("tables: Parquet to request lines", rate, "k/s", None, "rows a second of CPU")
    yield Row.memory("tables: Parquet to request lines: memory", found["ours"], MOST_MEMORY)
    yield Row.memory("tables: by hand: memory", found["by hand"])
    large = _table(ROWS_OF_FULL) if full else path
    for ending in ("parquet", "csv"):
        cost = run(Job("tables", "written", [str(large), str(CACHE / f"answers.{ending}")]))
        yield Row.memory(f"tables: rows and answers to {ending}: memory", cost, MOST_MEMORY)
        rate = (ROWS_OF_FULL if full else ROWS) / cost.cpu / 1000
        yield Row(f"tables: rows and answers to {ending}", rate, "k/s", None, "rows a second of CPU")
    if full:
        cost = run(Job("tables", "ours", [str(large)]))
        yield Row.memory("tables: 5 M rows (2 GB) to request lines: memory", cost, MOST_MEMORY)
