"""openai-python: a file by its path, a batch, its output."""

from asked import ENDPOINT, ended, tell_content, written
from openai import OpenAI

client = OpenAI()
file = client.files.create(file=written(), purpose="batch")
made = client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")
batch = ended(lambda: client.batches.retrieve(made.id))
tell_content(client.files.content(batch.output_file_id).text)
client.files.delete(file.id)
