"""instructor: a batch of structured answers, from bytes that have no name of their own."""

import time

from asked import LINES, messages, tell
from instructor.batch import BatchProcessor
from pydantic import BaseModel


class Answer(BaseModel):
    said: str


processor = BatchProcessor("openai/gpt-4.1-mini", Answer)
made = processor.submit_batch(processor.create_batch_from_messages(list(messages())))
for _ in range(500):
    if processor.get_batch_status(made)["status"] == "completed":
        break
    time.sleep(1)
results = processor.get_results(made)
if len(results) != LINES:
    raise SystemExit(f"{len(results)} results")
tell(sum(result.success and "You asked" in result.result.said for result in results))
