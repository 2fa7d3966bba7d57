"""A client that openapi-generator makes of the API's own description."""

import os
import subprocess
import sys
from pathlib import Path

from asked import BASE_URL, ENDPOINT, KEY, ended, tell_content, written

program = Path(sys.executable).with_name("openapi-generator-cli")
options = ["-i", os.environ["COMPAT_DESCRIPTION"], "-g", "python", "-o", "made", "--package-name", "made_client"]
with open("generated.log", "wb") as log:
    subprocess.run([program, "generate", *options], check=True, stdout=log, stderr=log, timeout=120)
sys.path.insert(0, "made")

import made_client

configuration = made_client.Configuration(host=BASE_URL.removesuffix("/v1"), access_token=KEY)
with made_client.ApiClient(configuration) as api:
    files, batches = made_client.FilesApi(api), made_client.BatchApi(api)
    file = files.create_file(file=str(written()), purpose="batch")
    wanted = {"input_file_id": file.id, "endpoint": ENDPOINT, "completion_window": "24h"}
    made = batches.create_batch(wanted)
    batch = ended(lambda: batches.retrieve_batch(made.id))
    answer = files.download_file_without_preload_content(batch.output_file_id)
    tell_content(answer.data.decode())
