// openai-node: a file as a stream, a batch, its output.
import { createReadStream } from "node:fs";
import OpenAI from "openai";
import { ENDPOINT, ended, tellContent, written } from "./asked.mjs";

const client = new OpenAI();
const file = await client.files.create({ file: createReadStream(written()), purpose: "batch" });
const made = await client.batches.create({ input_file_id: file.id, endpoint: ENDPOINT, completion_window: "24h" });
const batch = await ended(() => client.batches.retrieve(made.id));
tellContent(await (await client.files.content(batch.output_file_id)).text());
