"""batchata: its own loop over batches of jobs."""

from asked import LINES, prompts, tell
from batchata import Batch

MODEL = "gpt-4o-mini-2024-07-18"  # it takes the few models that it lists itself

batch = Batch(results_dir="results", max_parallel_batches=1, items_per_batch=LINES)
batch = batch.set_default_params(model=MODEL)
for prompt in prompts():
    batch = batch.add_job(messages=[{"role": "user", "content": prompt}])
run = batch.run(print_status=False)
tell(sum("You asked" in str(result.raw_response) for result in run.results()["completed"]))
