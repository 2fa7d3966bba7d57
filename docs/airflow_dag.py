"""Have Batchyard answer a file of requests, with the hook and the operator of Airflow's provider for OpenAI."""

from datetime import timedelta
from pathlib import Path

from airflow.providers.openai.hooks.openai import OpenAIHook
from airflow.providers.openai.operators.openai import OpenAITriggerBatchOperator
from airflow.sdk import dag, task

CONNECTION = "batchyard"
PLACES = {"requests": "/data/requests.jsonl", "answers": "/data/answers"}  # of a run, which may name others
IN_ONE_CALL = 4_000_000  # bytes; a larger file goes in parts of this size


class OneBatchAFile(OpenAITriggerBatchOperator):
    """Make one batch of a file: a second try has the same Idempotency-Key, and takes up the same batch."""

    template_fields = (*OpenAITriggerBatchOperator.template_fields, "batch_kwargs")


@dag(dag_id="batchyard", schedule=None, params=PLACES, default_args={"retries": 3, "retry_delay": timedelta(minutes=1)})
def answers() -> None:
    """Send the requests, wait without a worker, and write the answers."""

    @task
    def send(path: str) -> str:
        hook = OpenAIHook(CONNECTION)
        if Path(path).stat().st_size <= IN_ONE_CALL:
            return hook.upload_file(path, purpose="batch").id
        uploads = hook.conn.uploads
        return uploads.upload_file_chunked(
            file=Path(path), mime_type="application/jsonl", purpose="batch", part_size=IN_ONE_CALL
        ).file.id

    @task
    def fetch(batch_id: str, folder: str) -> dict[str, int]:
        hook = OpenAIHook(CONNECTION)
        batch = hook.get_batch(batch_id)
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, file_id in (("output.jsonl", batch.output_file_id), ("errors.jsonl", batch.error_file_id)):
            if file_id:
                with hook.conn.files.with_streaming_response.content(file_id) as content:
                    content.stream_to_file(Path(folder, name))
        return batch.request_counts.to_dict()

    file_id = send("{{ params.requests }}")
    batch = OneBatchAFile(
        task_id="answer",
        conn_id=CONNECTION,
        file_id=file_id,
        endpoint="/v1/chat/completions",
        batch_kwargs={"extra_headers": {"Idempotency-Key": file_id}},
        deferrable=True,  # the triggerer waits; False has a worker wait
        poll_interval=60,
        timeout=timedelta(days=7).total_seconds(),  # after which the operator cancels the batch
    )
    fetch(batch.output, "{{ params.answers }}")


answers()
