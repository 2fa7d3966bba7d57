"""batchata: its own loop over batches of jobs."""

from asked import LINES, MODEL, prompts, tell
from batchata import Batch

batch = Batch(results_dir="results", max_parallel_batches=1, items_per_batch=LINES)
batch = batch.set_default_params(model=MODEL)
for prompt in prompts():
    batch = batch.add_job(messages=[{"role": "user", "content": prompt}])
run = batch.run(print_status=False)
tell(sum("You asked" in str(result.raw_response) for result in run.results()["completed"]))
