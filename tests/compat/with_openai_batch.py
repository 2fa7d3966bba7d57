"""openai-batch: an input file, which it sends as bytes without a name."""

from pathlib import Path

from asked import BASE_URL, KEY, tell_content, written
from openai_batch import Batch
from openai_batch.providers import Provider

provider = Provider(name="own", base_url=BASE_URL, api_key=KEY)
batch = Batch(written(), output_file="output.jsonl", error_file="errors.jsonl", provider=provider)
result, output, _ = batch.submit_wait_download(interval=1)
if result.status != "completed":
    raise SystemExit(f"the batch is {result.status}: {result.errors}")
tell_content(Path(output).read_text(encoding="utf-8"))
