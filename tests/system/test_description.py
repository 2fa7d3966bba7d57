"""Requests made up from the front door's own description, right and wrong ones: none is a fault of ours."""

import json
from http import HTTPStatus
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from batchyard.api import openapi
from tests.system.running_stack import RunningStack

# Keys are what the session brings: a request without one would get it all the same. tests/unit/functions tries them.
description = schemathesis.openapi.from_dict({**json.loads(openapi.text()), "security": []})
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.allow_header_conformance,
]


@description.parametrize()
@settings(
    max_examples=6, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_a_request_made_up_is_answered_as_described(case: "schemathesis.Case[Any]", stack: RunningStack) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {stack.doors['api_key']}"
        # raises what of the answer is not as described
        answer = case.call_and_validate(
            base_url=stack.doors["endpoint_url"], session=session, checks=CHECKS, timeout=60
        )
        if case.operation.label == "POST /v1/webhook_endpoints" and answer.status_code == HTTPStatus.OK:
            made = answer.json()["id"]  # it shall not be told of the batches of other tests
            session.delete(f"{stack.doors['base_url']}/webhook_endpoints/{made}").raise_for_status()
        if case.operation.label == "POST /v1/schedules" and answer.status_code == HTTPStatus.OK:
            made = answer.json()["id"]  # it shall make no batches while other tests run
            session.delete(f"{stack.doors['base_url']}/schedules/{made}").raise_for_status()
        assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
