// The official Node client as a user writes it: only the base URL and the key (OPENAI_BASE_URL, OPENAI_API_KEY) are ours.
// Prints what it saw as one JSON object.
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";

const client = new OpenAI();
const seen = {};

const ended = ["completed", "failed", "expired", "cancelled"];

async function upload(path) {
  return client.files.create({ file: fs.createReadStream(path), purpose: "batch" });
}

async function polled(id, statuses) {
  for (;;) {
    const batch = await client.batches.retrieve(id);
    statuses.push(batch.status);
    if (ended.includes(batch.status)) return batch;
    await sleep(200);
  }
}

const file = await upload(process.argv[2]);
seen.file = await client.files.retrieve(file.id);
const body = { input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h" };

const first = await client.batches.create({ ...body, metadata: { number: "0" } });
seen.statuses = [];
seen.batch = await polled(first.id, seen.statuses);
seen.content = await (await client.files.content(seen.batch.output_file_id)).text();

// six more, which are quickly done with: their file is faulty
const faulty = await upload(process.argv[3]);
seen.made = [first.id];
for (let number = 1; number < 7; number += 1) {
  seen.made.push((await client.batches.create({ ...body, input_file_id: faulty.id })).id);
}
seen.failed = await polled(seen.made[6], []);
seen.listed = [];
for await (const each of client.batches.list({ limit: 2 })) seen.listed.push(each.id);
seen.page = (await client.batches.list({ limit: 2 })).data.map((each) => each.id);

const last = await client.batches.create(body);
seen.cancelled = (await client.batches.cancel(last.id)).status;

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, code: error.code, param: error.param, type: error.type, id: error.requestID };
  }
}
seen.refusals = {
  unknown: await refusal(() => client.batches.retrieve("batch_unknown")),
  endpoint: await refusal(() => client.batches.create({ ...body, endpoint: "/v1/nonsense" })),
  limit: await refusal(() => client.batches.list({ limit: 101 })),
  cancelEnded: await refusal(() => client.batches.cancel(first.id)),
  file: await refusal(() => client.files.retrieve("file-unknown")),
  key: await refusal(() => new OpenAI({ apiKey: "by_0000_wrong" }).batches.list()),
};
seen.deleted = await client.files.delete(file.id);
console.log(JSON.stringify(seen));
