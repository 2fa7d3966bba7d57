"""OpenAI's batches on Bedrock: the same requests and statuses, but inputs and results are objects of S3."""

from typing import Any, Final

from starlette.requests import Request

from local.emulator import batches_api, direct_api
from local.emulator import runner as plain
from local.emulator.batches import Batch
from local.emulator.bedrock.aws import NoAccessError
from local.emulator.bedrock.errors import QUOTA, VALIDATION, refused
from local.emulator.bedrock.operation import check_body
from local.emulator.errors import no_such_batch
from local.emulator.outcomes import OutcomeSpool
from local.emulator.paging import page
from local.emulator.reply import Reply
from local.emulator.results import Results
from local.emulator.runner import Run
from local.emulator.state import State
from local.emulator.validator import Problem, Validation, problem

_ROLE, _MODEL = "x-amzn-bedrock-rolearn", "x-amzn-bedrock-modelid"
_CHAT: Final = "/v1/chat/completions"
_INPUT: Final = ".jsonl"
_ENDS: Final = {"output": ".out", "error": ".err"}


async def create(state: State, request: Request) -> Reply:
    """Check the two headers and the body, not the input, and begin a batch."""
    check_body(request, await request.body())
    role, model = (request.headers.get(name, "") for name in (_ROLE, _MODEL))
    if not role or not model:
        missing = "X-Amzn-Bedrock-RoleArn" if not role else "X-Amzn-Bedrock-ModelId"
        raise refused(VALIDATION, f"The header {missing} is required.")
    wanted = batches_api.parse_batch_request(await batches_api.json_object(request))
    if (
        wanted.endpoint != _CHAT
        or not wanted.input_file_id.startswith("s3://")
        or not wanted.input_file_id.endswith(_INPUT)
    ):
        raise refused(
            VALIDATION, f"The input must be an object of S3 that ends with {_INPUT}, and the endpoint {_CHAT}."
        )
    most = state.scenario.bedrock.jobs_at_once
    running = sum(each.model == model and not each.ended for each in state.bedrock_batches.newest_first())
    if most is not None and running >= most:
        raise refused(QUOTA, f"Sum of in-progress and submitted batch inference jobs using {model}: {most} at most.")
    batch = state.bedrock_batches.add(wanted)
    batch.model = model
    reply = Reply(_shown(state, batch), made=batch.id)
    plain.begin(batch, BedrockRun(state, batch))
    return reply


async def retrieve(state: State, request: Request) -> Reply:
    """Answer one batch."""
    return Reply(_shown(state, _batch(state, request)))


async def cancel(state: State, request: Request) -> Reply:
    """Begin to cancel a batch; refuse it if the batch has ended otherwise."""
    batch = _batch(state, request)
    batch.cancel(state.clock.seconds())
    state.clock.wake()
    return Reply(_shown(state, batch))


async def list_all(state: State, request: Request) -> Reply:
    """Answer one page of batches, newest first."""
    shown = [_shown(state, batch) for batch in state.bedrock_batches.newest_first()]
    return Reply(page(request, shown, no_such_batch, default=20, most=100))


async def answer(state: State, request: Request) -> Reply:
    """Answer a chat completion at once, at the price of AWS."""
    check_body(request, await request.body())
    return await direct_api.answered(state, request, _CHAT, state.aws_prices)


class BedrockRun(Run):
    """Run one batch whose input and results are objects of S3."""

    def __init__(self, state: State, batch: Batch) -> None:
        super().__init__(state, batch)
        self._results.remove()
        self._results = _InBucket(state, batch)

    def play(self) -> None:
        """Run the batch; it fails if its results cannot be written."""
        try:
            super().play()
        except NoAccessError as error:
            message = f"The role does not have permission to write the results ({error})."
            self._fail([problem("invalid_request", message)])

    def _problems(self) -> list[Problem]:
        request, least, model = self._batch.request, self._scenario.bedrock.least_records, self._batch.model
        try:
            self._state.aws.read_to(request.input_file_id, self._input)
        except NoAccessError as error:
            return [problem("invalid_request", f"The role does not have permission to read the input ({error}).")]
        found = Validation(request.endpoint, self._scenario).read(self._input)
        self._total = found.total
        if found.total < least:
            return [problem("invalid_request", f"less records ({found.total}) than the required minimum of: {least}")]
        if found.model != model and not found.problems:
            return [problem("mismatched_model", f"The lines are for {found.model}, and the header names {model}.")]
        return found.problems


class _InBucket(Results):
    """Outcomes that are written beside the input."""

    def _file(self, spool: OutcomeSpool, sort: str) -> str | None:
        batch, fault = self._batch, self._batch.fault
        if not len(spool) or (sort == "error" and fault.no_error_file):
            return None
        made = self._state.directory / f"{sort}-{batch.id}"
        spool.write_shuffled(made, f"{self._state.scenario.seed}/{batch.ordinal}/{sort}")
        folder, _, name = batch.request.input_file_id.rpartition("/")
        address = f"{folder}/{batch.id}/{name}{_ENDS[sort]}"
        self._state.aws.write(address, made)
        made.unlink()
        return address


def _batch(state: State, request: Request) -> Batch:
    return state.bedrock_batches.get(request.path_params["batch_id"])


def _shown(state: State, batch: Batch) -> dict[str, Any]:
    told = batch.wire()
    return {**told, "status": state.scenario.statuses.get(told["status"], told["status"])}
