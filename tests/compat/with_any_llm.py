"""any-llm: its functions for batches."""

import any_llm
from asked import BASE_URL, ENDPOINT, KEY, ended, tell, written

there = {"api_key": KEY, "api_base": BASE_URL}
made = any_llm.create_batch("openai", str(written()), ENDPOINT, **there)
ended(lambda: any_llm.retrieve_batch("openai", made.id, **there))
results = any_llm.retrieve_batch_results("openai", made.id, **there).results
tell(sum("You asked" in (each.result.choices[0].message.content or "") for each in results if each.result))
