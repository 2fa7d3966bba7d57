// openapi-fetch: calls by path, with Node's own fetch.
import { openAsBlob } from "node:fs";
import createClient from "openapi-fetch";
import { ENDPOINT, ended, tellContent, written } from "./asked.mjs";

const client = createClient({
  baseUrl: process.env.OPENAI_BASE_URL.replace(/\/v1$/, ""),
  headers: { Authorization: `Bearer ${process.env.OPENAI_API_KEY}` },
});
async function data(call) {
  const { data: found, error, response } = await call;
  if (error !== undefined) throw new Error(`${response.status}: ${JSON.stringify(error)}`);
  return found;
}
const form = new FormData();
form.append("purpose", "batch");
form.append("file", await openAsBlob(written()), "requests.jsonl");
const file = await data(client.POST("/v1/files", { body: form, bodySerializer: (body) => body }));
const body = { input_file_id: file.id, endpoint: ENDPOINT, completion_window: "24h" };
const made = await data(client.POST("/v1/batches", { body }));
const path = (name, value) => ({ params: { path: { [name]: value } } });
const batch = await ended(() => data(client.GET("/v1/batches/{batch_id}", path("batch_id", made.id))));
const content = { ...path("file_id", batch.output_file_id), parseAs: "text" };
tellContent(await data(client.GET("/v1/files/{file_id}/content", content)));
