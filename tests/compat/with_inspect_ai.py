"""inspect_ai: an evaluation whose model calls go in batches."""

from asked import BASE_URL, KEY, LINES, MODEL, prompts, tell
from inspect_ai import Task, eval  # noqa: A004 - its name
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import BatchConfig, GenerateConfig, get_model
from inspect_ai.scorer import includes

samples = MemoryDataset([Sample(input=prompt, target="You asked") for prompt in prompts()])
config = GenerateConfig(batch=BatchConfig(size=LINES, send_delay=20, tick=2), max_connections=LINES)
model = get_model(f"openai/{MODEL}", base_url=BASE_URL, api_key=KEY, config=config, responses_api=False)
[log] = eval(Task(dataset=samples, scorer=includes()), model=model, max_samples=LINES, display="none", log_dir="logs")
if log.status != "success":
    raise SystemExit(f"the evaluation is {log.status}: {log.error}")
tell(sum("You asked" in sample.output.completion for sample in log.samples or []))
