"""OpenAI's own clients, unchanged but for the base URL and the key: upload, create, poll, list, content, cancel, refusals."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.system.packages import installed
from tests.system.processes import ROOT, environment, eventually
from tests.system.running_stack import RunningStack, jsonl, request

NODE = ROOT / "tests/system/node"
LINES, BATCHES = 5, 7
ENDED = {"completed", "failed", "expired", "cancelled"}
Journey = dict[str, Any]
# What each refusal is to a caller: the client's class of error, status, code and param.
REFUSALS = {
    "unknown": ("NotFoundError", 404, None, None),
    "endpoint": ("BadRequestError", 400, "invalid_value", "endpoint"),
    "limit": ("BadRequestError", 400, "integer_above_max_value", "limit"),
    "cancelEnded": ("ConflictError", 409, None, None),
    "file": ("NotFoundError", 404, None, "id"),
    "key": ("AuthenticationError", 401, "invalid_api_key", None),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Write a good input and a faulty one."""
    good, faulty = (tmp_path_factory.mktemp("inputs") / name for name in ("requests.jsonl", "faulty.jsonl"))
    good.write_bytes(jsonl(request(number) for number in range(LINES)))
    faulty.write_bytes(jsonl([request(1), request(1)]))
    return [good, faulty]


def node_journey(stack: RunningStack, inputs: list[Path]) -> Journey:
    if not shutil.which("npm"):
        pytest.skip("there is no Node here; .ci/run installs it")
    given = environment(OPENAI_BASE_URL=stack.doors["base_url"], OPENAI_API_KEY=stack.doors["api_key"])
    command = ["node", "journey.mjs", *map(str, inputs)]
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=installed(NODE), env=given, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    seen: Journey = json.loads(done.stdout)
    return seen


def python_journey(stack: RunningStack, inputs: list[Path]) -> Journey:
    client = openai.OpenAI(base_url=stack.doors["base_url"], api_key=stack.doors["api_key"])
    file, faulty = (client.files.create(file=path, purpose="batch") for path in inputs)
    seen: Journey = {"file": client.files.retrieve(file.id).model_dump()}

    def create(**members: Any) -> openai.types.Batch:
        given = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h", **members}
        return client.batches.create(**given)

    def polled(batch_id: str, statuses: list[str]) -> openai.types.Batch | None:
        now = client.batches.retrieve(batch_id)
        statuses.append(now.status)
        return now if now.status in ENDED else None

    first, seen["statuses"] = create(metadata={"number": "0"}).id, []
    batch = eventually(lambda: polled(first, seen["statuses"]))
    seen["batch"] = batch.model_dump()
    seen["content"] = client.files.content(batch.output_file_id or "").text
    seen["made"] = [first, *(create(input_file_id=faulty.id).id for _ in range(1, BATCHES))]
    seen["failed"] = eventually(lambda: polled(seen["made"][-1], [])).model_dump()
    seen["listed"] = [each.id for each in client.batches.list(limit=2)]
    seen["page"] = [each.id for each in client.batches.list(limit=2).data]
    seen["cancelled"] = client.batches.cancel(create().id).status
    seen["refusals"] = {
        "unknown": refusal(lambda: client.batches.retrieve("batch_unknown")),
        "endpoint": refusal(lambda: create(endpoint="/v1/nonsense")),
        "limit": refusal(lambda: client.batches.list(limit=101)),
        "cancelEnded": refusal(lambda: client.batches.cancel(batch.id)),
        "file": refusal(lambda: client.files.retrieve("file-unknown")),
        "key": refusal(client.with_options(api_key="by_0000_wrong").batches.list),
    }
    seen["deleted"] = client.files.delete(file.id).model_dump()
    return seen


def refusal(call: Callable[[], object]) -> dict[str, Any]:
    with pytest.raises(openai.APIStatusError) as caught:
        call()
    error = caught.value
    return {
        "kind": type(error).__name__, "status": error.status_code, "code": error.code, "param": error.param,
        "type": error.type, "id": error.request_id,
    }  # fmt: skip


@pytest.fixture(scope="module", params=[python_journey, node_journey], ids=["python", "node"])
def seen(request: pytest.FixtureRequest, stack: RunningStack, inputs: list[Path]) -> Journey:
    """Go the whole way once with each client, and keep what it saw."""
    journey: Journey = request.param(stack, inputs)
    return journey


def test_a_file_is_uploaded_and_shown(seen: Journey, inputs: list[Path]) -> None:
    file = seen["file"]
    assert (file["object"], file["filename"], file["purpose"]) == ("file", "requests.jsonl", "batch")
    assert (file["bytes"], file["status"]) == (inputs[0].stat().st_size, "processed")
    assert seen["deleted"] == {"id": file["id"], "object": "file", "deleted": True}


def test_a_batch_goes_from_status_to_status_until_it_is_completed(seen: Journey) -> None:
    order = ["validating", "in_progress", "finalizing", "completed"]
    ranks = [order.index(status) for status in seen["statuses"]]
    assert ranks == sorted(ranks)
    assert seen["batch"]["status"] == "completed"
    assert seen["batch"]["request_counts"] == {"total": LINES, "completed": LINES, "failed": 0}
    assert seen["batch"]["metadata"] == {"number": "0"}


def test_the_content_has_an_answer_for_each_line_in_order(seen: Journey) -> None:
    answers = [json.loads(line) for line in seen["content"].splitlines()]
    assert [answer["custom_id"] for answer in answers] == [f"request-{number}" for number in range(LINES)]
    assert {answer["response"]["status_code"] for answer in answers} == {200}


def test_pages_of_two_list_every_batch_once_the_newest_first(seen: Journey) -> None:
    ours = [each for each in seen["listed"] if each in set(seen["made"])]
    assert ours == seen["made"][::-1]
    assert len(seen["page"]) == 2
    assert len(seen["listed"]) == len(set(seen["listed"]))


def test_a_failed_batch_says_what_is_wrong_with_which_line(seen: Journey) -> None:
    [error] = seen["failed"]["errors"]["data"]
    assert (seen["failed"]["status"], error["code"], error["line"]) == ("failed", "duplicate_custom_id", 2)


def test_a_batch_is_cancelled(seen: Journey) -> None:
    assert seen["cancelled"] == "cancelling"


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_the_error_that_the_client_has_for_it(case: str, seen: Journey) -> None:
    told = seen["refusals"][case]
    assert (told["kind"], told["status"], told["code"], told["param"]) == REFUSALS[case]
    assert told["type"] == "invalid_request_error"
    assert told["id"]
