"""Collecting and assembling the answers of a file, against a join with a dict of lines and `json.loads`."""

import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from batch_client import RequestCounts
from batchyard.domain.step import Step
from batchyard.lines.shard_lines import ShardLines
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from batchyard.shards.collect import collect
from batchyard.shards.submit import submit
from tests.benchmarks import inputs
from tests.benchmarks.disk import BATCH_ID, DiskServices
from tests.benchmarks.measure import MB, Cost, Job, interleaved, run
from tests.benchmarks.row import Row

LINES_PER_SHARD = 15_000
REFUSED_SHARE = 0.02
OUTPUT = 200 * MB
MOST_TURNS = 10_000


def setting(path: str, room: str, texts: str = "prose") -> Callable[[], None]:
    """Prepare to plan and submit a file and to write the provider's answers, shuffled as they come."""
    return lambda: _set_up(Path(path), Path(room), fits=texts == "json")


def ours(path: str, room: str, counted: str = "all", accept: str = "{}") -> Callable[[], float]:
    """Prepare Collect of every shard and Assemble; writing files is not counted if `counted` is "unstored"."""
    services = DiskServices(Path(room), Path(path), max_requests_per_shard=LINES_PER_SHARD)
    services.recall()
    kept = services.batch_store.batches
    kept[BATCH_ID] = msgspec.structs.replace(kept[BATCH_ID], accept=json.loads(accept))

    def work() -> float:
        for shard in range(services.batch_store.batch(BATCH_ID).shards):
            if collect(services, Step(BATCH_ID, shard)).next != "done":
                raise AssertionError(f"shard {shard} is not done")
        ending = next(said for said in (assemble(services, BATCH_ID) for _ in range(MOST_TURNS)) if said != "assemble")
        counts = services.batch_store.batch(BATCH_ID).counts
        if ending != "done" or counts.completed + counts.failed != counts.total:
            raise AssertionError(f"the batch ended as {ending} with {counts}")
        return services.disk.served + (services.disk.stored if counted == "unstored" else 0)

    return work


def join(path: str, room: str, order: str, counted: str = "all") -> Callable[[], None]:
    """Prepare the baseline; the order of the lines is read from the input, or given for nothing (`order` is "given")."""
    given = _custom_ids(Path(path)) if order == "given" else None
    results = [Path(room, name) if counted == "all" else Path(os.devnull) for name in ("joined", "joined-errors")]

    def work() -> None:
        lines: dict[str, tuple[int, bytes]] = {}
        for file in sorted(Path(room).glob("answers-*")):
            with file.open("rb") as answers:
                for line in answers:
                    answer = json.loads(line)
                    lines[answer["custom_id"]] = answer["response"]["status_code"], line
        with results[0].open("wb") as output, results[1].open("wb") as errors:
            for custom_id in given or _custom_ids(Path(path)):
                status, line = lines[custom_id]
                (output if status < 300 else errors).write(line)

    return work


def rows(*, full: bool) -> Iterator[Row]:
    """Compare on 200 MB of answers; show that memory does not grow with the number of shards."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as many:
        small, large = str(_input(OUTPUT // 2)), str(_input(OUTPUT))
        run(Job("assemble", "setting", [small, one]))
        run(Job("assemble", "setting", [large, many]))
        jobs = {
            "ours": Job("assemble", "ours", [large, many]),
            "join": Job("assemble", "join", [large, many, "given"]),
            "whole": Job("assemble", "join", [large, many, "read"]),
            "ours_unstored": Job("assemble", "ours", [large, many, "unstored"]),
            "join_unstored": Job("assemble", "join", [large, many, "given", "unstored"]),
            "whole_unstored": Job("assemble", "join", [large, many, "read", "unstored"]),
        }
        found = interleaved(jobs, 5 if full else 3)
        title = "assemble 200 MB"
        yield Row.ratio(f"{title}: CPU / dict join", found["ours"], found["whole"], 0.45)
        yield Row.ratio(f"{title}: CPU / dict join that knows the order", found["ours"], found["join"])
        title = "assemble 200 MB, not counting the writing of files"
        yield Row.ratio(f"{title}: CPU / dict join", found["ours_unstored"], found["whole_unstored"])
        yield Row.ratio(
            "the same: CPU / dict join that knows the order", found["ours_unstored"], found["join_unstored"]
        )
        title = "assemble 200 MB"
        yield Row.memory("assemble 100 MB (2 shards): memory", run(Job("assemble", "ours", [small, one])))
        yield Row.memory(f"{title} (4 shards): memory", found["ours"])
        yield Row.memory(f"{title}: memory of the dict join", found["whole"])
        yield from _with_accept(large, many, found["whole"], 5 if full else 3)


def _with_accept(path: str, room: str, whole: Cost, repeats: int) -> Iterator[Row]:
    """Compare with answers that are looked at: prose by how it ended, and JSON by a schema of its request."""
    title = "assemble with accept"
    jobs = {"ours": Job("assemble", "ours", [path, room, "all", '{"finish_reason": ["stop"], "not_empty": true}'])}
    found = interleaved(jobs, repeats)
    yield Row.ratio(f"{title}, finish_reason and not_empty: CPU / dict join", found["ours"], whole)
    asked = str(inputs.chat(OUTPUT // 2, _answer_length, "with-schema", response_format=inputs.WITH_SCHEMA))
    with tempfile.TemporaryDirectory() as fitting:
        run(Job("assemble", "setting", [asked, fitting, "json"]))
        jobs = {
            "off": Job("assemble", "ours", [asked, fitting]),
            "json": Job("assemble", "ours", [asked, fitting, "all", '{"json": true}']),
            "schema": Job("assemble", "ours", [asked, fitting, "all", '{"schema": true}']),
            "whole": Job("assemble", "join", [asked, fitting, "read"]),
        }
        found = interleaved(jobs, repeats)
    yield Row.ratio("assemble 100 MB of JSON texts: CPU / dict join", found["off"], found["whole"])
    yield Row.ratio(f"{title}, json: CPU / dict join", found["json"], found["whole"])
    yield Row.ratio(f"{title}, schema: CPU / dict join", found["schema"], found["whole"])


def _input(output: int) -> Path:
    """Return the requests whose answers make up `output` bytes: they are about as long as the answers."""
    return inputs.chat(output, _answer_length, "asked")


def _answer_length(chance: random.Random) -> int:
    return chance.randint(700, 6_000)


def _custom_ids(path: Path) -> list[str]:
    with path.open("rb") as file:
        return [json.loads(line)["custom_id"] for line in file]


def _set_up(path: Path, room: Path, *, fits: bool) -> None:
    services = DiskServices(room, path, max_requests_per_shard=LINES_PER_SHARD)
    chance = random.Random(5)  # noqa: S311 - made the same each time
    while plan(services, BATCH_ID).next == "plan":
        pass
    for shard in range(services.batch_store.batch(BATCH_ID).shards):
        submit(services, Step(BATCH_ID, shard))
        _answer(services, room, shard, chance, fits=fits)
    services.keep()


def _answer(services: DiskServices, room: Path, shard: int, chance: random.Random, *, fits: bool) -> None:
    ids = ShardLines.read(services.bucket, BATCH_ID, shard).custom_ids
    shuffled = chance.sample(ids, len(ids))
    refused = int(len(ids) * REFUSED_SHARE)
    names = [f"answers-{shard}-{kind}.jsonl" for kind in ("output", "error")]
    for name, answered, status in zip(names, (shuffled[refused:], shuffled[:refused]), (200, 400), strict=True):
        with (room / name).open("wb") as file:
            for number, custom_id in enumerate(answered):
                file.write(inputs.answer(chance, number, custom_id, _answer_length(chance), status, fits=fits))
    recorded = services.batch_store.shard(BATCH_ID, shard)
    if recorded is None or recorded.attempts[-1].provider_batch_id is None:
        raise AssertionError(f"shard {shard} was not submitted")
    services.provider.end(
        recorded.attempts[-1].provider_batch_id, "completed", output_file_id=names[0], error_file_id=names[1],
        request_counts=RequestCounts(total=len(ids), completed=len(ids) - refused, failed=refused),
    )  # fmt: skip
