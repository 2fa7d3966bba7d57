"""Airflow: the hook of its provider for OpenAI, then the DAG of the page on automation, without a scheduler."""

import json
import os
import subprocess
import sys
from pathlib import Path

from asked import BASE_URL, ENDPOINT, KEY, tell_content, written

DOCS = Path(__file__).resolve().parents[2] / "docs"
connection = json.dumps({"conn_type": "openai", "password": KEY, "host": BASE_URL})
os.environ |= {
    "AIRFLOW_CONN_OPENAI_DEFAULT": connection, "AIRFLOW_CONN_BATCHYARD": connection,
    "AIRFLOW_HOME": os.path.abspath("airflow"), "AIRFLOW__CORE__DAGS_FOLDER": str(DOCS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}  # fmt: skip

from airflow.providers.openai.hooks.openai import OpenAIHook

requests = written().absolute()
hook = OpenAIHook()
file = hook.upload_file(str(requests), purpose="batch")
made = hook.create_batch(file_id=file.id, endpoint=ENDPOINT)
hook.wait_for_batch(made.id, wait_seconds=1, timeout=500)
tell_content(hook.conn.files.content(hook.get_batch(made.id).output_file_id).text)

# every task by Airflow's own runner; a task that is deferred goes on when its trigger says so
subprocess.run([Path(sys.executable).with_name("airflow"), "db", "migrate"], check=True, stdout=sys.stderr)
sys.path.insert(0, str(DOCS))
import airflow_dag

dag = airflow_dag.answers()
dag.get_task("answer").poll_interval = 1
run = dag.test(run_conf={"requests": str(requests), "answers": os.path.abspath("answers")})
given = {task.task_id: task.xcom_pull(task_ids=task.task_id) for task in run.get_task_instances()}
if run.state != "success":
    raise SystemExit(f"the run of the DAG is {run.state}: {given}")

# what a second try of the task would send; providers know no such key, and make another batch
if os.environ["COMPAT_ORDERED"]:
    key = {"Idempotency-Key": given["send"]}
    again = hook.create_batch(file_id=given["send"], endpoint=ENDPOINT, extra_headers=key)
    if again.id != given["answer"]:
        raise SystemExit(f"a second try made another batch: {given['answer']}, then {again.id}")
tell_content(Path("answers/output.jsonl").read_text(encoding="utf-8"))
