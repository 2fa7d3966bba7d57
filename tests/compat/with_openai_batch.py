"""openai-batch: a batch that is built call by call and sent as bytes without a name."""

from asked import BASE_URL, KEY, MODEL, messages, tell
from openai_batch import Batch
from openai_batch.providers import Provider

provider = Provider(name="own", base_url=BASE_URL, api_key=KEY)
with Batch("requests.jsonl", output_file="output.jsonl", error_file="errors.jsonl", provider=provider) as batch:
    for each in messages():
        batch.add_to_batch(model=MODEL, messages=each)
    result, output, _ = batch.submit_wait_download(interval=1)
if result.status != "completed":
    raise SystemExit(f"the batch is {result.status}: {result.errors}")
with open(output, encoding="utf-8") as answers:
    tell(sum('"status_code":200' in line.replace(" ", "") for line in answers))
