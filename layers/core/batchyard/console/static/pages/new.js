// A new batch: a file or an address, a check that sends nothing, and then the run.

import { get, post } from "../api.js";
import { h, show } from "../dom.js";
import { bytes, count, percent, plural } from "../format.js";
import { ENDED, field, say, title } from "../parts.js";
import { begun, endpointOf, forget, upload } from "../upload.js";
import { estimate } from "./batch.js";

const ENDPOINTS = ["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions", "/v1/moderations", "/v1/images/generations", "/v1/images/edits", "/v1/videos"];
const WINDOW = "24h";
const SHOWN_ERRORS = 20;

export async function open(main, { signal }) {
  const page = new NewBatch(signal);
  main.append(title("New batch"), page.node);
}

class NewBatch {
  constructor(signal) {
    this.signal = signal;
    this.input = null; // what the batch reads: the id of a file, or an address
    this.checked = null; // the dry run that has ended
    this.turn = 0; // of a choice of input: what an older one finds is not shown
    this.file = h("input", { type: "file", id: "file", accept: ".jsonl,.gz,application/jsonl,application/gzip" });
    this.address = h("input", { placeholder: "s3://bucket/inbox/tenant/requests.jsonl", spellcheck: "false", autocomplete: "off" });
    this.endpoint = h("select", null, ENDPOINTS.map((each) => h("option", { value: each }, each)));
    this.skip = h("input", { type: "checkbox", checked: true });
    this.most = h("input", { inputmode: "decimal", placeholder: "no limit", autocomplete: "off", pattern: "[0-9]+(\\.[0-9]+)?" });
    this.stop = h("input", { type: "checkbox" });
    this.metadata = h("textarea", { rows: 3, placeholder: "project: corpus", spellcheck: "false" });
    this.sent = h("div", { "aria-live": "polite" });
    this.found = h("div", { class: "view" });
    this.run = h("button", { type: "button", class: "primary", disabled: true }, "Run");
    this.why = h("p", { class: "soft", role: "status" }, "Choose a file first. It is checked before anything is sent to the provider.");
    this.node = this.drawn();
    this.listen();
  }

  drawn() {
    const kept = begun();
    this.zone = h("label", { class: "drop", for: "file" }, h("strong", null, "Drop a file here, or choose one"), h("span", { class: "soft" }, "One request a line, as .jsonl or .jsonl.gz, of any size"), this.file);
    return h("div", { class: "view" },
      kept ? h("div", { class: "note" }, h("p", null, `The upload of ${kept.name} stopped at ${percent(kept.sent, kept.size)}%. Choose the same file, and it goes on from there.`),
        h("button", { type: "button", on: { click: (event) => { forget(); event.currentTarget.parentNode.remove(); } } }, "Forget it")) : null,
      h("section", { class: "card", "aria-label": "Input" }, this.zone, this.sent,
        h("details", null, h("summary", null, "Or name an object in the bucket"),
          h("form", { class: "bar-of-fields", on: { submit: (event) => this.named(event) } }, field("Address", this.address), field("Endpoint", this.endpoint), h("button", { type: "submit" }, "Check")))),
      this.found,
      h("section", { class: "card", "aria-label": "Options" }, h("h2", null, "Options"),
        h("div", { class: "grid" },
          h("div", { class: "stack" },
            h("label", { class: "check" }, this.skip, " Leave out bad lines and run the rest"),
            h("label", { class: "check" }, this.stop, " Send again what was cut off or is empty")),
          field("Most it may cost, in US dollars", this.most, "By the estimate; above it nothing is sent."),
          field("Metadata", this.metadata, "One name: value a line, to find the batch by.")),
        h("div", { class: "actions end" }, this.why, this.run)));
  }

  listen() {
    const { signal } = this;
    this.file.addEventListener("change", () => this.file.files[0] && this.chosen(this.file.files[0]));
    this.run.addEventListener("click", () => this.send());
    this.skip.addEventListener("change", () => this.ready());
    const over = (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      this.zone.classList.toggle("over", event.type === "dragover");
      if (event.type === "drop" && event.dataTransfer.files[0]) this.chosen(event.dataTransfer.files[0]);
    };
    for (const type of ["dragover", "dragleave", "drop"]) document.addEventListener(type, over, { signal });
  }

  begin(words) {
    this.turn += 1;
    [this.input, this.checked] = [null, null];
    this.found.replaceChildren();
    this.off(words);
    return this.turn;
  }

  off(words) {
    this.run.disabled = true;
    this.why.textContent = words;
  }

  async chosen(file) {
    const turn = this.begin(`${file.name} is being sent.`);
    if (!file.size) return this.failed(new Error(`${file.name} is empty. Write one request a line.`));
    const told = (size) => turn === this.turn && show(this.sent, sending(file, size));
    try {
      told(0);
      const found = await endpointOf(file);
      if (ENDPOINTS.includes(found)) this.endpoint.value = found;
      const id = await upload(file, told, this.signal);
      if (turn !== this.turn) return;
      show(this.sent, h("p", { class: "figures" }, `${file.name} is there: ${bytes(file.size)}.`));
      await this.check(id, turn);
    } catch (error) {
      if (turn === this.turn) this.failed(error);
    }
  }

  async named(event) {
    event.preventDefault();
    const address = this.address.value.trim();
    if (!address) return;
    const turn = this.begin("The object is being checked.");
    this.sent.replaceChildren();
    try {
      await this.check(address, turn);
    } catch (error) {
      if (turn === this.turn) this.failed(error);
    }
  }

  failed(error) {
    if (error.name === "AbortError") return;
    this.off("Nothing was sent to the provider.");
    show(this.found, h("div", { class: "note bad", role: "alert" }, h("p", null, error.message)));
  }

  /** Have the lines read and priced; nothing goes to the provider. */
  async check(input, turn) {
    this.off("The lines are being checked. Nothing is sent to the provider.");
    show(this.found, h("p", { class: "soft busy" }, "Checking each line, and its price …"));
    let batch = await post("batches", { ...this.request(input), dry_run: true, on_invalid: "skip" }, { signal: this.signal });
    for (let wait = 400; !ENDED.has(batch.status); wait = Math.min(5_000, wait * 1.5)) {
      await new Promise((done) => setTimeout(done, Math.max(wait, 400)));
      batch = await get(`batches/${batch.id}`, { signal: this.signal });
      if (turn !== this.turn) return;
    }
    [this.input, this.checked] = [input, batch];
    show(this.found, result(batch));
    this.ready();
  }

  ready() {
    const { checked } = this;
    if (!checked) return;
    const { preflight } = checked;
    if (checked.status !== "completed" || !preflight) return this.off("The input cannot run as it is.");
    const good = preflight.lines - preflight.bad_lines;
    if (!good) return this.off("No line can be run.");
    if (preflight.bad_lines && !this.skip.checked) return this.off(`${plural(preflight.bad_lines, "bad line")}: leave them out, or correct the file.`);
    this.run.disabled = false;
    this.why.textContent = `${plural(good, "line")} will be sent.`;
  }

  request(input) {
    return { input_file_id: input, endpoint: this.endpoint.value, completion_window: WINDOW };
  }

  async send() {
    this.run.disabled = true;
    try {
      const options = { on_invalid: this.skip.checked ? "skip" : "refuse" };
      if (this.most.value.trim()) options.max_cost_usd = this.most.value.trim();
      if (this.stop.checked) options.accept = { finish_reason: ["stop", "tool_calls"], not_empty: true };
      const metadata = pairs(this.metadata.value);
      if (metadata) options.metadata = metadata;
      this.token ??= crypto.randomUUID(); // a second click, or a lost answer, makes no second batch
      const batch = await post("batches", { ...this.request(this.input), ...options }, { headers: { "Idempotency-Key": this.token } });
      location.hash = `/batches/${batch.id}`;
    } catch (error) {
      this.token = error.status ? undefined : this.token;
      say(error.message, "bad");
      this.ready();
    }
  }
}

function sending(file, size) {
  const node = h("div", { class: "sending" },
    h("span", { class: "figures" }, `${file.name}: ${bytes(size)} of ${bytes(file.size)}`),
    h("progress", { max: file.size, value: size, "aria-label": `Upload of ${file.name}` }));
  node.painted = (at) => {
    at.querySelector("progress").value = size;
  };
  return node;
}

function pairs(text) {
  const rows = text.split("\n").map((row) => row.split(":")).filter(([name, ...value]) => name.trim() && value.length);
  return rows.length ? Object.fromEntries(rows.map(([name, ...value]) => [name.trim(), value.join(":").trim()])) : null;
}

function result(batch) {
  const errors = batch.errors?.data ?? [];
  const total = batch.errors_total ?? errors.length;
  return [
    batch.preflight ? estimate(batch.preflight) : null,
    errors.length ? h("section", { class: `card ${batch.preflight ? "" : "bad"}`, "aria-label": "Bad lines" },
      h("h2", null, batch.preflight ? plural(total, "bad line") : "The input cannot run"),
      h("ul", { class: "faults" }, errors.slice(0, SHOWN_ERRORS).map((each) => h("li", null,
        h("span", { class: "figures where" }, each.line ? `Line ${count(each.line)}` : "The input"), h("code", null, each.code), h("span", null, each.message)))),
      total > SHOWN_ERRORS ? h("p", { class: "soft" }, `and ${count(total - SHOWN_ERRORS)} more`) : null) : null,
  ];
}
