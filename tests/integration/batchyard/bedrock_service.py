"""Amazon Bedrock, as far as its jobs and models are asked here: it holds each caller and its own role to their policies."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3

from tests.fakes.batches import BUCKET, NOW
from tests.integration.batchyard.permissions import ACCOUNT, Permission
from tests.integration.batchyard.roles import playing
from tests.unit.batch_client.fake_service import Answer, Sent, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.batchyard.roles import Roles

BASE: Final = "https://bedrock.us-east-1.amazonaws.com"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/bedrock"
NAMED_ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/named"  # as the parameter BedrockRoleArn
ID: Final = re.compile(r"(?<=/model)/[^/]+|(?<=/model-invocation-job)/[^/]+")
WHERE: Final = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:model-invocation-job"
BEGAN: Final = datetime.fromtimestamp(NOW, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
CREATE: Final = "POST /model-invocation-job"
OURS: Final = frozenset({__name__, "tests.unit.batch_client.fake_service"})
USAGE: Final = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}


@dataclass
class BedrockService:
    """Jobs by their id, what becomes of each, and what befalls the calls to come."""

    roles: Roles
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: the status in which each job ends, in the order of creation; how much of it is run
    ends: list[tuple[str, float]] = field(default_factory=list)
    #: what a call raises once it is done, by its method and path
    lost: dict[str, list[Exception]] = field(default_factory=dict)
    #: how a call is refused, by its method and path
    refused: dict[str, list[Answer]] = field(default_factory=dict)
    #: jobs that run until they are stopped
    endless: bool = False
    calls: list[str] = field(default_factory=list)

    def __call__(self, sent: Sent) -> Answer:
        """Answer a request, as `FakeService` has each step do."""
        url = urlsplit(sent.url)
        assert "/bedrock/aws4_request" in sent.headers["Authorization"], "each call is signed with the function's role"
        call = f"{sent.method} {ID.sub('/{id}', url.path)}"
        self.calls.append(call)
        if self.refused.get(call):
            return self.refused[call].pop(0)
        told = self._answers()[call](url.path.split("/")[2] if "{id}" in call else "", sent, dict(parse_qsl(url.query)))
        if self.lost.get(call):
            raise self.lost[call].pop(0)
        return answer(told)

    def _answers(self) -> dict[str, Callable[[str, Sent, dict[str, str]], Any]]:
        return {
            CREATE: self._create, "GET /model-invocation-job/{id}": self._get, "GET /model-invocation-jobs": self._list,
            "POST /model-invocation-job/{id}/stop": self._stop, "POST /model/{id}/converse": self._converse,
        }  # fmt: skip

    def _ask(self, action: str, resource: str, **context: str) -> None:
        door = playing(OURS)
        assert door is not None, f"{action} is of no operation"
        self.roles.ask(door, Permission(action, resource, tuple(context.items())))

    def _create(self, _: str, sent: Sent, __: dict[str, str]) -> dict[str, Any]:
        asked = json.loads(sent.body)
        self._ask("bedrock:CreateModelInvocationJob", f"arn:aws:bedrock:us-east-1::foundation-model/{asked['modelId']}")
        self.roles.ask(
            playing(OURS) or "",
            Permission("iam:PassRole", asked["roleArn"], (("iam:PassedToService", "bedrock.amazonaws.com"),)),
        )
        for known in self.jobs.values():
            if known["clientRequestToken"] == asked["clientRequestToken"]:
                return {"jobArn": known["jobArn"]}
        job_id = f"job{len(self.jobs):09}"
        self.jobs[job_id] = {
            **asked,
            "jobArn": f"{WHERE}/{job_id}",
            "status": "Submitted",
            "submitTime": "2026-11-21T10:17:53Z",
        }
        return {"jobArn": f"{WHERE}/{job_id}"}

    def _get(self, job_id: str, _: Sent, __: dict[str, str]) -> dict[str, Any]:
        self._ask("bedrock:GetModelInvocationJob", f"{WHERE}/{job_id}")
        job = self.jobs[job_id]
        if job["status"] == "Submitted":
            job["status"] = "InProgress"
        elif job["status"] == "InProgress" and not self.endless:
            self._end(job_id, *(self.ends.pop(0) if self.ends else ("Completed", 1.0)))
        return job

    def _list(self, _: str, __: Sent, query: dict[str, str]) -> dict[str, Any]:
        self._ask("bedrock:ListModelInvocationJobs", "*")
        named = query.get("nameContains", "")
        return {"invocationJobSummaries": [job for job in reversed(self.jobs.values()) if named in job["jobName"]]}

    def _stop(self, job_id: str, _: Sent, __: dict[str, str]) -> dict[str, Any]:
        self._ask("bedrock:StopModelInvocationJob", f"{WHERE}/{job_id}")
        self._end(job_id, "Stopped", 0.5)
        return {}

    def _converse(self, model: str, _: Sent, __: dict[str, str]) -> dict[str, Any]:
        self._ask("bedrock:InvokeModel", f"arn:aws:bedrock:us-east-1::foundation-model/{unquote(model)}")
        return {"output": {"message": {"content": [{"text": "hi"}]}}, "stopReason": "end_turn", "usage": USAGE}

    def _end(self, job_id: str, status: str, share: float) -> None:
        """Run a share of the records, and write results and manifest beside the input, with the service's own role."""
        job = self.jobs[job_id]
        job["status"] = status
        source = self._key(job["inputDataConfig"]["s3InputDataConfig"]["s3Uri"])
        folder = self._key(job["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])
        self.roles.ask_role("BedrockRole", Permission("s3:GetObject", f"arn:aws:s3:::{BUCKET}/{source}"))
        records = [
            json.loads(line) for line in boto3.client("s3").get_object(Bucket=BUCKET, Key=source)["Body"].iter_lines()
        ]
        done = records[: int(len(records) * share)]
        output = {"output": {"message": {"content": [{"text": "hi"}]}}, "stopReason": "end_turn", "usage": USAGE}
        lines = [json.dumps({**record, "modelOutput": output}) for record in reversed(done)]
        manifest = {
            "totalRecordCount": len(records), "processedRecordCount": len(done), "successRecordCount": len(done),
            "errorRecordCount": 0, "inputTokenCount": 5 * len(done), "outputTokenCount": 2 * len(done),
        }  # fmt: skip
        name = source.rpartition("/")[2]
        for key, text in ((f"{name}.out", "\n".join(lines) + "\n"), ("manifest.json.out", json.dumps(manifest))):
            place = f"{folder}{job_id}/{key}"
            self.roles.ask_role("BedrockRole", Permission("s3:PutObject", f"arn:aws:s3:::{BUCKET}/{place}"))
            boto3.client("s3").put_object(Bucket=BUCKET, Key=place, Body=text.encode())

    @staticmethod
    def _key(uri: str) -> str:
        assert uri.startswith(f"s3://{BUCKET}/")
        return uri.removeprefix(f"s3://{BUCKET}/")
