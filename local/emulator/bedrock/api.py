"""The operations of Bedrock: its jobs, and requests that are answered at once."""

import re
from datetime import datetime
from typing import Any, Final

import msgspec
from starlette.requests import Request

from local.emulator.batches import Usage
from local.emulator.bedrock import answers, runner
from local.emulator.bedrock.errors import VALIDATION, refused
from local.emulator.bedrock.jobs import Job, JobRequest
from local.emulator.bedrock.operation import check_body
from local.emulator.bill import STANDARD, shown
from local.emulator.reply import Reply
from local.emulator.state import State

# The patterns are those of botocore 1.44.8, bedrock 2023-04-20.
_NAME: Final = r"[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9\+\-\.]){0,63}"
_ONCE: Final = r"[a-zA-Z0-9]{1,256}(-*[a-zA-Z0-9]){0,256}"
_PLACE: Final = r"s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](?:/[-!_*'().a-z0-9A-Z]+(?:/[-!_*'().a-z0-9A-Z]+)*)?/?"
_ROLE: Final = r"arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+"
_LONGEST_NAME, _LONGEST_ONCE, _PAGE, _LONGEST_PAGE = 63, 256, 100, 1_000
_HOURS: Final = (24, 168)


class _S3Input(msgspec.Struct):
    s3Uri: str  # noqa: N815 - as AWS writes it
    s3InputFormat: str = "JSONL"  # noqa: N815 - as above


class _Input(msgspec.Struct):
    s3InputDataConfig: _S3Input  # noqa: N815 - as above


class _S3Output(msgspec.Struct):
    s3Uri: str  # noqa: N815 - as above


class _Output(msgspec.Struct):
    s3OutputDataConfig: _S3Output  # noqa: N815 - as above


class _Create(msgspec.Struct):
    jobName: str  # noqa: N815 - as above
    roleArn: str  # noqa: N815 - as above
    modelId: str  # noqa: N815 - as above
    inputDataConfig: _Input  # noqa: N815 - as above
    outputDataConfig: _Output  # noqa: N815 - as above
    clientRequestToken: str = ""  # noqa: N815 - as above
    modelInvocationType: str = answers.INVOKE  # noqa: N815 - as above
    timeoutDurationInHours: int = 24  # noqa: N815 - as above


async def create(state: State, request: Request) -> Reply:
    """Check the members, not the input, and begin a job; a token that was seen answers the job of then."""
    wanted = _checked(await _body(request))
    job, is_new = state.jobs.add(wanted, state.scenario.bedrock.jobs_at_once)
    if is_new:
        runner.start(state, job)
    return Reply({"jobArn": job.arn}, made=job.id if is_new else None)


async def retrieve(state: State, request: Request) -> Reply:
    """Answer one job."""
    return Reply(_shown(state, _job(state, request)))


async def stop(state: State, request: Request) -> Reply:
    """Begin to stop a job; refuse it if the job has ended."""
    job = _job(state, request)
    job.stop(state.clock.now())
    state.clock.wake()
    return Reply({})


async def list_all(state: State, request: Request) -> Reply:
    """Answer one page of jobs, newest first unless asked otherwise."""
    query = request.query_params
    jobs = [job for job in state.jobs.newest_first() if _is_wanted(job, dict(query))]
    if query.get("sortOrder") == "Ascending":
        jobs.reverse()
    limit, ids, token = _limit(query.get("maxResults")), [job.id for job in jobs], query.get("nextToken")
    if token and token not in ids:
        raise refused(VALIDATION, "The nextToken is not valid.")
    begin = ids.index(token) + 1 if token else 0
    page, more = jobs[begin : begin + limit], len(jobs) > begin + limit
    told: dict[str, Any] = {"invocationJobSummaries": [_shown(state, job) for job in page]}
    return Reply({**told, "nextToken": page[-1].id} if more else told)


async def invoke(state: State, request: Request) -> Reply:
    """Answer a body of InvokeModel at once."""
    return await _answered(state, request, answers.INVOKE)


async def converse(state: State, request: Request) -> Reply:
    """Answer a body of Converse at once."""
    return await _answered(state, request, answers.CONVERSE)


def entry(state: State, job: Job) -> dict[str, Any]:
    """Return what the ledger says of a job."""
    return {
        **job.wire(state.clock.now()), "id": job.id, "ordinal": job.ordinal, "requests": job.total,
        "billed_requests": job.succeeded, "usage": job.usage.wire(), "usd": shown(job.dollars),
    }  # fmt: skip


async def _answered(state: State, request: Request, kind: str) -> Reply:
    model = request.path_params["model"]
    try:
        body = msgspec.json.decode(await _body(request), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused(VALIDATION, "The body is no JSON object.") from error
    told = answers.ask(model, kind, body, state.scenario, in_batch=False)
    if not told.succeeded:
        raise refused(VALIDATION, str(told.body["message"]))
    usage = answers.used(told.body)
    cost = state.aws_prices.dollars(model, STANDARD, usage, "") if usage != Usage() else None
    state.direct.append({"endpoint": request.url.path, "body": body, "usage": usage.wire(), "usd": shown(cost)})
    return Reply(told.body)


async def _body(request: Request) -> bytes:
    body = await request.body()
    check_body(request, body)
    return body


def _checked(body: bytes) -> JobRequest:
    try:
        told = msgspec.json.decode(body, type=_Create)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused(VALIDATION, f"The request is not valid: {error}") from error
    source, target = told.inputDataConfig.s3InputDataConfig, told.outputDataConfig.s3OutputDataConfig.s3Uri
    least, most = _HOURS
    rules = {
        "jobName": re.fullmatch(_NAME, told.jobName) and len(told.jobName) <= _LONGEST_NAME,
        "clientRequestToken": re.fullmatch(_ONCE, told.clientRequestToken)
        and len(told.clientRequestToken) <= _LONGEST_ONCE,
        "roleArn": re.fullmatch(_ROLE, told.roleArn),
        "modelId": told.modelId,
        "inputDataConfig": re.fullmatch(_PLACE, source.s3Uri) and source.s3InputFormat == "JSONL",
        "outputDataConfig": re.fullmatch(_PLACE, target) and target.endswith("/"),
        "modelInvocationType": told.modelInvocationType in {answers.INVOKE, answers.CONVERSE},
        "timeoutDurationInHours": least <= told.timeoutDurationInHours <= most,
    }
    if wrong := [name for name, holds in rules.items() if not holds]:
        raise refused(VALIDATION, f"Value at '{wrong[0]}' failed to satisfy constraint")
    return JobRequest(
        told.jobName, told.clientRequestToken, told.modelId, told.modelInvocationType, told.roleArn, source.s3Uri, target,
        told.timeoutDurationInHours,
    )  # fmt: skip


def _job(state: State, request: Request) -> Job:
    return state.jobs.get(request.path_params["batch_id"])


def _shown(state: State, job: Job) -> dict[str, Any]:
    told = job.wire(state.clock.now() - state.scenario.bedrock.counts_lag)
    return {**told, "status": state.scenario.statuses.get(told["status"], told["status"])}


def _is_wanted(job: Job, query: dict[str, str]) -> bool:
    since, before = (_time(query.get(name)) for name in ("submitTimeAfter", "submitTimeBefore"))
    in_time = (since is None or job.created_at >= since) and (before is None or job.created_at <= before)
    return (
        in_time
        and query.get("nameContains", "") in job.request.name
        and query.get("statusEquals", job.status) == job.status
    )


def _time(text: str | None) -> float | None:
    try:
        return None if text is None else datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise refused(VALIDATION, f"{text!r:.40} is no time.") from error


def _limit(text: str | None) -> int:
    if text is None:
        return _PAGE
    if not text.isdecimal() or not 1 <= int(text) <= _LONGEST_PAGE:
        raise refused(VALIDATION, f"maxResults must be 1 to {_LONGEST_PAGE}")
    return int(text)
