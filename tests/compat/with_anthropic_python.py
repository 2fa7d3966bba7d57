"""anthropic-python: a message batch of its requests; a job that is larger than one request holds comes as a file."""

import json
import os
import time

import httpx
from anthropic import Anthropic
from asked import BASE_URL, KEY, messages, tell

MODEL, MOST = "claude-haiku-4-5", 4_000_000  # bytes of a request to the front door
client = Anthropic(base_url=BASE_URL.removesuffix("/v1"), api_key=KEY)
batches = client.messages.batches


def uploaded(requests):
    """Send the requests as a file of lines, as docs/anthropic.md says, and return what names the file."""
    lines = (
        {"custom_id": each["custom_id"], "method": "POST", "url": "/v1/messages", "body": each["params"]}
        for each in requests
    )
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    answer = httpx.post(
        f"{BASE_URL}/files", headers={"Authorization": f"Bearer {KEY}"}, data={"purpose": "batch"},
        files={"file": ("requests.jsonl", content)}, timeout=300,
    )  # fmt: skip
    answer.raise_for_status()
    return {"input_file_id": answer.json()["id"]}


requests = [
    {"custom_id": f"r{at}", "params": {"model": MODEL, "max_tokens": 4096, "messages": each}}
    for at, each in enumerate(messages())
]
if len(json.dumps(requests)) > MOST:
    batch = batches.create(requests=[], extra_body=uploaded(requests))
else:
    batch = batches.create(requests=requests)
deadline = time.monotonic() + 500
while (batch := batches.retrieve(batch.id)).processing_status != "ended":
    if time.monotonic() > deadline:
        raise SystemExit("the batch has not ended")
    time.sleep(1)
results = list(batches.results(batch.id))
ids = [each.custom_id for each in results]
wanted = [each["custom_id"] for each in requests]
if not os.environ["COMPAT_ORDERED"]:
    ids, wanted = sorted(ids), sorted(wanted)
if ids != wanted:
    raise SystemExit("the results are not those of the requests, in their order")
tell(sum(each.result.type == "succeeded" for each in results))
