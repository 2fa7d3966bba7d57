"""What each script of this folder is asked to do, and how it tells what came of it; the standard library alone.

The scripts run in environments of their own, one for each tool.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LINES = int(os.environ["COMPAT_LINES"])
CHARACTERS = int(os.environ["COMPAT_CHARACTERS"])
BASE_URL, KEY = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
MODEL = "gpt-4.1-mini"
ENDPOINT = "/v1/chat/completions"
ENDED = {"completed", "failed", "expired", "cancelled"}
_SECONDS = 500


def prompts() -> Iterator[str]:
    """Yield the text of each request."""
    for number in range(LINES):
        yield f"Number {number}. {'Say it again, and slowly. ' * (CHARACTERS // 26)}"


def messages() -> Iterator[list[dict[str, str]]]:
    """Yield the messages of each request."""
    for prompt in prompts():
        yield [{"role": "user", "content": prompt}]


def written() -> Path:
    """Write the requests as the input of a batch, and return where."""
    path = Path("requests.jsonl")
    with path.open("w", encoding="utf-8") as file:
        for number, each in enumerate(messages()):
            body = {"model": MODEL, "messages": each}
            file.write(json.dumps({"custom_id": f"r{number}", "method": "POST", "url": ENDPOINT, "body": body}) + "\n")
    return path


def ended(retrieve: Callable[[], Any]) -> Any:
    """Return the batch once it has ended; it must have completed."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        batch = retrieve()
        if batch.status in ENDED:
            if batch.status != "completed":
                raise SystemExit(f"the batch is {batch.status}: {batch.errors}")
            return batch
        time.sleep(1)
    raise SystemExit(f"the batch has not ended within {_SECONDS} seconds")


def tell_content(text: str) -> None:
    """Count the answers of an output file: one for each request, and in their order where that is promised."""
    answers = [json.loads(line) for line in text.splitlines()]
    ids = [answer["custom_id"] for answer in answers]
    if (ids if os.environ["COMPAT_ORDERED"] else sorted(ids, key=lambda each: int(each[1:]))) != [
        f"r{number}" for number in range(LINES)
    ]:
        raise SystemExit("the answers are not those of the requests, in their order")
    tell(sum(answer["response"]["status_code"] == 200 for answer in answers))


def tell(answered: int) -> None:
    """Say how many requests were answered with success."""
    print(json.dumps({"answered": answered}))
    sys.stdout.flush()
