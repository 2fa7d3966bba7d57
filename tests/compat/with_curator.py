"""curator: an LLM in batch mode."""

import os

os.environ |= {"TELEMETRY_ENABLED": "false", "CURATOR_CACHE_DIR": "curator", "HF_HUB_OFFLINE": "1"}

from asked import BASE_URL, MODEL, prompts, tell
from bespokelabs import curator


class Asker(curator.LLM):
    def prompt(self, input: dict) -> str:  # noqa: A002 - curator's name
        return input["text"]

    def parse(self, input: dict, response: str) -> dict:  # noqa: A002, ARG002 - as above
        return {"said": response}


asker = Asker(
    model_name=MODEL,
    batch=True,
    backend="openai",
    backend_params={"base_url": BASE_URL, "batch_check_interval": 2, "require_all_responses": True},
)
answered = asker([{"text": prompt} for prompt in prompts()])
rows = getattr(answered, "dataset", answered)
tell(sum("You asked" in row["said"] for row in rows))
