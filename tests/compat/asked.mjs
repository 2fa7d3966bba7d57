// What the scripts for Node are asked to do; as asked.py has it for Python.
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export const LINES = Number(process.env.COMPAT_LINES);
export const ENDPOINT = "/v1/chat/completions";
const CHARACTERS = Number(process.env.COMPAT_CHARACTERS);
const ENDED = new Set(["completed", "failed", "expired", "cancelled"]);

export function written() {
  const text = "Say it again, and slowly. ".repeat(Math.floor(CHARACTERS / 26));
  const lines = Array.from({ length: LINES }, (_, number) => JSON.stringify({
    custom_id: `r${number}`, method: "POST", url: ENDPOINT,
    body: { model: "gpt-4.1-mini", messages: [{ role: "user", content: `Number ${number}. ${text}` }] },
  }));
  writeFileSync("requests.jsonl", lines.join("\n") + "\n");
  return "requests.jsonl";
}

export async function ended(retrieve) {
  for (let seconds = 0; seconds < 500; seconds += 1) {
    const batch = await retrieve();
    if (batch.status === "completed") return batch;
    if (ENDED.has(batch.status)) throw new Error(`the batch is ${batch.status}: ${JSON.stringify(batch.errors)}`);
    await sleep(1000);
  }
  throw new Error("the batch has not ended within 500 seconds");
}

export function tellContent(text) {
  const answers = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  if (!process.env.COMPAT_ORDERED) answers.sort((one, other) => one.custom_id.slice(1) - other.custom_id.slice(1));
  if (answers.length !== LINES || answers.some((answer, number) => answer.custom_id !== `r${number}`)) {
    throw new Error("the answers are not those of the requests, in their order");
  }
  console.log(JSON.stringify({ answered: answers.filter((answer) => answer.response.status_code === 200).length }));
}
