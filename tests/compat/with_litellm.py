"""LiteLLM: its own functions for files and batches."""

import litellm
from asked import BASE_URL, ENDPOINT, KEY, ended, tell_content, written

there = {"custom_llm_provider": "openai", "api_base": BASE_URL, "api_key": KEY}
with written().open("rb") as source:
    file = litellm.create_file(file=source, purpose="batch", **there)
made = litellm.create_batch(completion_window="24h", endpoint=ENDPOINT, input_file_id=file.id, **there)
batch = ended(lambda: litellm.retrieve_batch(batch_id=made.id, **there))
tell_content(litellm.file_content(file_id=batch.output_file_id, **there).text)
