"""Airflow: the hook of its provider for OpenAI, without a scheduler."""

import json
import os

from asked import BASE_URL, ENDPOINT, KEY, tell_content, written

connection = {"conn_type": "openai", "password": KEY, "host": BASE_URL}
os.environ |= {"AIRFLOW_CONN_OPENAI_DEFAULT": json.dumps(connection), "AIRFLOW_HOME": os.path.abspath("airflow")}

from airflow.providers.openai.hooks.openai import OpenAIHook

hook = OpenAIHook()
file = hook.upload_file(str(written()), purpose="batch")
made = hook.create_batch(file_id=file.id, endpoint=ENDPOINT)
hook.wait_for_batch(made.id, wait_seconds=1, timeout=500)
tell_content(hook.conn.files.content(hook.get_batch(made.id).output_file_id).text)
