"""`GET /v1/batches/{id}` on a warm local stack, against a bare function behind the same gateway that only answers."""

import io
import statistics
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx

from local.stack.clients import Clients
from tests.benchmarks.row import Row
from tests.system.processes import up

WARM, LOOKS = 20, 200
ECHO = """def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{}"}
"""


def rows(*, full: bool) -> Iterator[Row]:
    """Compare medians of requests made in turn over one kept connection each."""
    with up() as doors:
        clients = Clients(doors["endpoint_url"])
        echo = doors["endpoint_url"] + _echo(clients.other("lambda"), clients.other("apigatewayv2"))
        key = {"Authorization": f"Bearer {doors['api_key']}"}
        with httpx.Client(timeout=30, headers=key) as http:
            batch = f"{doors['base_url']}/batches/{_batch(http, doors['base_url'])}"
            took = _interleaved(http, [batch, echo], LOOKS * (5 if full else 1))
    ours, bare = (statistics.median(each) for each in took)
    made_of = f"{ours * 1_000:.1f} ms / {bare * 1_000:.1f} ms"
    yield Row("GET of a batch: p50 / a bare function behind the same gateway", ours / bare, "x", 2.0, made_of)


def _interleaved(http: httpx.Client, urls: list[str], looks: int) -> list[list[float]]:
    took: list[list[float]] = [[] for _ in urls]
    for number in range(WARM + looks):
        for url, seconds in zip(urls, took, strict=True):
            began = time.perf_counter()
            http.get(url).raise_for_status()
            if number >= WARM:
                seconds.append(time.perf_counter() - began)
    return took


def _batch(http: httpx.Client, base_url: str) -> str:
    """Make a batch that is over at once: there is no such file."""
    body = {"input_file_id": "file-none", "endpoint": "/v1/responses", "completion_window": "24h"}
    return str(http.post(f"{base_url}/batches", json=body).raise_for_status().json()["id"])


def _echo(functions: Any, gateway: Any) -> str:
    """Put a function behind a gateway of its own, and return where it answers."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", ECHO)
    role = functions.list_functions()["Functions"][0]["Role"]
    made = functions.create_function(
        FunctionName="echo", Runtime="python3.14", Role=role, Handler="handler.handler",
        Code={"ZipFile": packed.getvalue()}, MemorySize=512,
    )  # fmt: skip
    api = gateway.create_api(Name="echo", ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=made["FunctionArn"], PayloadFormatVersion="2.0"
    )["IntegrationId"]
    gateway.create_route(ApiId=api, RouteKey="GET /echo", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return f"/_aws/execute-api/{api}/echo"
