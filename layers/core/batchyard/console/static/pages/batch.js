// One batch: how far it is, what failed, what it costs, and what one can do with it.

import { get, post, query } from "../api.js";
import { progressChart } from "../chart.js";
import { h, show } from "../dom.js";
import { bytes, compact, count, money, paid, percent, plural, span, when } from "../format.js";
import { live, lookNow } from "../live.js";
import { ENDED, act, badge, bar, empty, field, loading, problem, progressWords, save, say, since, statusOf, sure, table } from "../parts.js";

const SHARDS = 50;
const schedules = new Map(); // what each is called, by its id
const VIEWS = { "": "Overview", lines: "Lines", shards: "Shards", details: "Details" };

export async function open(main, { rest: [id, view = ""], search, signal }) {
  const head = h("div");
  const body = h("div", { class: "view" });
  main.append(head, body);
  show(body, loading());
  const failed = (error) => show(body, error.status === 404 ? empty("No such batch", "It was never there, or its record has expired.", h("a", { class: "button", href: "#/batches" }, "All batches")) : problem(error));
  document.title = `${id.slice(0, 14)}… · Batchyard`;
  const header = (batch) => {
    show(head, heading(batch, view), batch.paused && !ENDED.has(batch.status) ? pause(batch) : null);
    if (batch.schedule && !schedules.has(batch.schedule)) named(batch.schedule, signal).then(() => signal.aborted || header(batch));
  };
  const ended = (value) => ENDED.has((Array.isArray(value) ? value[0] : value).status);
  if (view === "lines") {
    const { openLines } = await import("./lines.js");
    const batch = await get(`batches/${id}`, { signal });
    if (signal.aborted) return;
    header(batch);
    body.replaceChildren();
    live(signal, () => get(`batches/${id}`, { signal }), header, { failed, ended });
    await openLines(body, batch, search, signal);
  } else if (view === "shards") shards(id, body, header, { signal, failed, ended });
  else if (view === "details") live(signal, () => get(`batches/${id}`, { signal }), (batch) => { header(batch); show(body, details(batch)); }, { failed, ended });
  else {
    const paths = [`batches/${id}`, `batches/${id}/shards?limit=1`, `batches/${id}/errors`];
    const draw = ([batch, parts, errors]) => {
      header(batch);
      show(body, overview(batch, parts, errors));
    };
    live(signal, () => Promise.all(paths.map((path) => get(path, { signal }))), draw, { failed, ended });
  }
}

/** Find out what a schedule is called; one that was deleted goes by its id. */
async function named(id, signal) {
  try {
    schedules.set(id, (await get(`schedules/${id}`, { signal })).name);
  } catch (error) {
    if (error.name !== "AbortError") schedules.set(id, id);
  }
}

function heading(batch, view) {
  return [
    h("nav", { "aria-label": "Where you are", class: "crumbs" }, h("a", { href: "#/batches" }, "Batches"), h("span", { "aria-hidden": "true" }, "/")),
    h("div", { class: "title" },
      h("h1", { tabindex: "-1", class: "mono long" }, batch.id), badge(statusOf(batch)),
      h("div", { class: "actions" }, acts(batch))),
    batch.schedule ? h("p", { class: "by soft" }, "Made by the schedule ", h("a", { href: `#/schedules/${batch.schedule}` }, schedules.get(batch.schedule) ?? batch.schedule)) : null,
    h("nav", { class: "tabs", "aria-label": "Views of this batch" }, Object.entries(VIEWS).map(([name, words]) =>
      h("a", { href: `#/batches/${batch.id}${name ? `/${name}` : ""}`, "aria-current": name === view ? "page" : null }, words))),
  ];
}

function acts(batch) {
  const again = batch.status === "completed" || batch.status === "failed" || batch.status === "cancelled" || batch.status === "expired";
  const { total, completed } = batch.request_counts;
  return [
    batch.output_file_id ? download("Download answers", batch.output_file_id) : null,
    batch.error_file_id ? download("Download errors", batch.error_file_id) : null,
    again && !batch.dry_run && total > completed ? h("button", { type: "button", "data-key": "retry", on: { click: (event) => act(event, () => retry(batch)) } }, "Retry") : null,
    batch.paused && !again ? h("button", { type: "button", "data-key": "resume", class: "primary", on: { click: (event) => act(event, () => resume(batch)) } }, "Resume") : null,
    again || batch.status === "cancelling" || batch.status === "finalizing" ? null : h("button", { type: "button", "data-key": "cancel", class: "danger", on: { click: (event) => act(event, () => cancel(batch)) } }, "Cancel"),
  ];
}

const download = (words, fileId) =>
  h("button", { type: "button", "data-key": fileId, on: { click: (event) => act(event, async () => {
    const link = await get(`files/${fileId}/link`);
    save(link.url, link.filename);
  }) } }, words);

async function cancel(batch) {
  if (!(await sure("Cancel this batch?", "Answers that are there are kept. The provider may still bill lines that it is working on.", "Cancel the batch"))) return;
  await post(`batches/${batch.id}/cancel`);
  say("The batch is being cancelled.");
  lookNow();
}

async function resume(batch) {
  await post(`batches/${batch.id}/resume`, {});
  say("The batch tries again at once.");
  lookNow();
}

async function retry(batch) {
  const open = batch.request_counts.total - batch.request_counts.completed;
  if (!(await sure("Retry what has no answer?", `A new batch sends ${plural(open, "line")} again. The answers that are there are taken over and not paid for twice.`, "Retry"))) return;
  const made = await post(`batches/${batch.id}/retry`, {}, { headers: { "Idempotency-Key": crypto.randomUUID() } });
  location.hash = `/batches/${made.id}`;
}

const pause = (batch) => h("div", { class: "note warn", role: "status" }, h("h2", null, "Paused"), h("p", null, batch.paused), h("p", { class: "soft" }, "The batch goes on by itself once that is over. Resume tries at once."));

const tile = (name, value, more) => h("div", { class: "tile" }, h("dt", null, name), h("dd", { class: "figures" }, value), more ? h("dd", { class: "soft figures" }, more) : null);

const endOf = (batch) => batch.completed_at ?? batch.failed_at ?? batch.cancelled_at ?? batch.expired_at;

function overview(batch, parts, errors) {
  const { request_counts: counts } = batch;
  const from = batch.in_progress_at ?? batch.created_at;
  const until = endOf(batch) ?? Math.max(parts.progress.at(-1)?.at ?? 0, from);
  if (batch.dry_run && batch.preflight) return [h("p", { class: "lead" }, "This batch was only estimated: nothing was sent."), estimate(batch.preflight), faults(batch, errors)];
  const done = counts.completed + counts.failed;
  return [
    h("section", { class: "card", "aria-label": "Progress" },
      h("div", { class: "big" }, h("span", { class: "figures" }, `${percent(done, counts.total)}%`), bar(counts, progressWords(counts, ENDED.has(batch.status)))),
      h("dl", { class: "tiles" },
        tile("Lines", count(counts.total), batch.taken_over ? `${count(batch.taken_over)} taken over` : plural(Math.max(parts.shards, 0), "shard")),
        tile("Done", count(counts.completed)), tile("Failed", count(counts.failed)),
        tile("Cost", paid(batch.cost), batch.preflight?.estimated_usd != null ? `estimated ${money(batch.preflight.estimated_usd)}` : null),
        tile("Tokens", compact(batch.usage?.total_tokens), batch.usage ? `${compact(batch.usage.input_tokens)} in, ${compact(batch.usage.output_tokens)} out` : null),
        tile(endOf(batch) ? "Took" : "Begun", endOf(batch) ? span(endOf(batch) - batch.created_at) : since(batch.created_at), when(batch.created_at))),
      progressChart(parts.progress, counts.total, from, until)),
    batch.files_set_aside ? h("p", { class: "soft" }, `${plural(batch.files_set_aside, "file")} set aside, as they hold no requests: the report says why.`) : null,
    faults(batch, errors),
    sums("Model", parts.models),
    batch.providers ? sums("Provider", parts.providers) : null,
  ];
}

function sums(name, rows) {
  if (!rows.length) return null;
  const by = name.toLowerCase();
  return h("section", { class: "card" }, h("h2", null, `By ${by}`), table(`Tokens and cost by ${by}`,
    [[name], ["Lines", "number"], ["Done", "number"], ["Failed", "number"], ["Tokens in", "number"], ["Tokens out", "number"], ["Cost", "number"]],
    rows.map((each) => ({ key: each[by], cells: [each[by], count(each.lines), count(each.completed), count(each.failed),
      each.usage ? count(each.usage.input_tokens) : "–", each.usage ? count(each.usage.output_tokens) : "–", paid(each.cost)] }))));
}

function faults(batch, errors) {
  if (!errors.data.length) return null;
  return h("section", { class: "card" }, h("h2", null, "Errors"), table("Errors by code", [["Code"], ["Lines", "number"], ["For example"]],
    errors.data.map((each) => ({ key: each.code, cells: [h("code", null, each.code), count(each.count),
      h("ul", { class: "samples" }, each.samples.map((sample) => h("li", null,
        sample.line ? h("a", { href: `#/batches/${batch.id}/lines?from=${sample.line}` }, sample.file ? `${sample.file}, line ${count(sample.file_line)}` : `Line ${count(sample.line)}`)
          : sample.file_line ? `Line ${count(sample.file_line)} of a file` : null,
        sample.custom_id ? h("span", { class: "mono soft" }, ` ${sample.custom_id}`) : null, h("span", { class: "soft" }, ` ${sample.message}`)))) ] }))));
}

export function estimate(preflight) {
  return h("section", { class: "card", "aria-label": "Estimate" },
    h("dl", { class: "tiles" },
      tile("Price", preflight.estimated_usd == null ? "unknown" : `up to ${money(preflight.estimated_usd)}`, preflight.estimated_usd == null ? "a model has no listed price" : "by listed prices"),
      tile("Lines", count(preflight.lines - preflight.bad_lines), preflight.bad_lines ? `and ${plural(preflight.bad_lines, "bad line")}` : "no bad lines"),
      tile("Tokens in", compact(preflight.estimated_input_tokens)), tile("Tokens out", compact(preflight.estimated_output_tokens), "if each answer takes all it may"),
      tile("Shards", count(preflight.shards), bytes(preflight.bytes)),
      preflight.lines_one_by_one ? tile("One by one", count(preflight.lines_one_by_one), "too few for a batch, at the full price") : null),
    h("p", { class: "soft" }, preflight.note));
}

function shards(id, body, header, { signal, failed, ended }) {
  let turned = new AbortController();
  let provider = "";
  const turn = (cursors) => {
    turned.abort();
    turned = new AbortController();
    const stop = AbortSignal.any([signal, turned.signal]);
    const path = query(`batches/${id}/shards`, { limit: SHARDS, after: cursors.at(-1), provider });
    const draw = ([batch, parts]) => {
      header(batch);
      if (!parts.begun) return show(body, empty("No shard has begun", "A batch is cut into shards, each of which fits one batch of the provider. They appear here once they begin."));
      const waiting = parts.shards - parts.begun;
      const several = Boolean(batch.providers);
      const choose = (event) => {
        provider = event.target.value;
        turn([]);
      };
      show(body, h("p", { class: "soft figures" }, `${plural(parts.begun, "shard")} begun${waiting > 0 ? `, ${count(waiting)} waiting for their turn` : ""}.`),
        several ? h("div", { class: "bar-of-fields" }, field("Provider", h("select", { on: { change: choose } }, ["", ...batch.providers].map((name) => h("option", { value: name, selected: name === provider }, name || "all"))))) : null,
        table("Shards", [["Shard", "number"], ["Status"], ["Lines", "number"], ["Progress"], ...(several ? [["Provider"]] : []), ["Model"], ["Cost", "number"], ["At the provider"]],
          parts.data.map((each) => row(each, several))),
        parts.has_more || cursors.length ? h("nav", { class: "pager", "aria-label": "Pages of shards" },
          h("button", { type: "button", disabled: !cursors.length, on: { click: () => turn(cursors.slice(0, -1)) } }, "Back"),
          h("button", { type: "button", disabled: !parts.has_more, on: { click: () => turn([...cursors, parts.data.at(-1).shard]) } }, "Next")) : null);
    };
    live(stop, () => Promise.all([get(`batches/${id}`, { signal: stop }), get(path, { signal: stop })]), draw, { failed, ended });
  };
  turn([]);
}

function row(shard, several) {
  const counts = { total: shard.lines, completed: shard.completed, failed: shard.failed };
  const why = shard.paused ?? shard.reason?.message;
  return { key: shard.shard, cells: [
    count(shard.shard), h("span", null, badge(shard.status), why ? h("span", { class: "soft why" }, why) : null), count(shard.lines),
    h("span", { class: "progress" }, bar(counts), h("span", { class: "figures soft" }, progressWords(counts))), ...(several ? [shard.provider] : []), h("span", { class: "cut" }, shard.model), paid(shard.cost),
    attempts(shard),
  ] };
}

const attempts = (shard) => h("details", { class: "attempts" },
  h("summary", null, plural(shard.attempts_total, "attempt")),
  h("ol", null, shard.attempts.map((each) => h("li", { value: each.number },
    h("span", { class: "mono" }, each.direct ? "sent one by one" : each.provider_batch_id ?? "not created yet"), " ",
    h("span", { class: "soft" }, [each.provider_status, `${count(each.succeeded)} done`, each.failed ? `${count(each.failed)} failed` : null, each.transient ? `${count(each.transient)} to send again` : null,
      span((each.ended_at ?? Date.now() / 1000) - each.started_at)].filter(Boolean).join(" · "))))));

function details(batch) {
  const rows = [["Input", batch.input_file_id], ["Endpoint", batch.endpoint], ["Model", batch.model], ["Providers", batch.providers?.join(", ") ?? batch.provider], ["Window", batch.completion_window], ["Created", when(batch.created_at)],
    ["Files", batch.input_files == null ? null : `${count(batch.input_files)}${batch.files_set_aside ? `, ${count(batch.files_set_aside)} of them set aside: the report says why` : ""}`],
    ["Begun", when(batch.in_progress_at)], ["Ended", when(endOf(batch))], ["Due", when(batch.expires_at)], ["Bad lines", batch.on_invalid === "skip" ? "are skipped" : "refuse the batch"],
    ["Most it may cost", batch.max_cost_usd == null ? null : money(batch.max_cost_usd)], ["Accepts", batch.accept ? JSON.stringify(batch.accept) : null],
    ["Schedule", batch.schedule ? h("a", { class: "mono", href: `#/schedules/${batch.schedule}` }, batch.schedule) : null],
    ["Retries", batch.retry_of ? h("a", { class: "mono", href: `#/batches/${batch.retry_of}` }, batch.retry_of) : null],
    ...Object.entries(batch.metadata ?? {}).map(([name, value]) => [`Metadata: ${name}`, value])];
  return [
    h("section", { class: "card" }, h("dl", { class: "pairs" }, rows.filter(([, value]) => value != null).flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]))),
    h("section", { class: "card" }, h("h2", null, "As JSON"), h("pre", { tabindex: "0", "aria-label": "The batch as JSON" }, JSON.stringify(batch, null, 2))),
  ];
}
