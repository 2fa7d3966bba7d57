// The lines of a batch, each request beside its answer. One page of them is held, whatever the size of the results.

import { get, query } from "../api.js";
import { h, show } from "../dom.js";
import { bytes, count } from "../format.js";
import { badge, empty, field, loading, problem } from "../parts.js";

const SHOWN = 20;
const LONGEST = 200_000; // characters of one text on the page

export async function openLines(body, batch, search, signal) {
  const wanted = { from: search.get("from") ?? "", outcome: search.get("outcome") ?? "", custom_id: search.get("custom_id") ?? "" };
  const number = h("input", { type: "number", min: 1, step: 1, inputmode: "numeric", value: wanted.from });
  const id = h("input", { type: "search", value: wanted.custom_id, spellcheck: "false" });
  const only = h("input", { type: "checkbox", checked: wanted.outcome === "failed" });
  const list = h("section", { "aria-label": "Lines" });
  const go = (event) => {
    event?.preventDefault();
    location.hash = query(`/batches/${batch.id}/lines`, { from: id.value.trim() ? "" : number.value, outcome: only.checked ? "failed" : "", custom_id: id.value.trim() });
  };
  only.addEventListener("change", go);
  body.append(h("form", { class: "bar-of-fields", on: { submit: go } }, field("Line", number), field("custom_id", id), h("label", { class: "check" }, only, " Only errors"), h("button", { type: "submit" }, "Go")), list);
  await turn([wanted.from || 1], batch, list, wanted, signal);
}

async function turn(cursors, batch, list, wanted, signal) {
  show(list, loading());
  const to = (next) => turn(next, batch, list, wanted, signal);
  try {
    let page = await get(query(`batches/${batch.id}/lines`, { from: cursors.at(-1), limit: SHOWN, outcome: wanted.outcome, custom_id: wanted.custom_id }), { signal });
    while (!page.data.length && page.next != null) {
      page = await get(query(`batches/${batch.id}/lines`, { from: page.next, limit: SHOWN, outcome: wanted.outcome, custom_id: wanted.custom_id }), { signal });
    }
    list.replaceChildren();
    show(list, page.data.length ? h("div", { class: "lines" }, page.data.map((line, at) => row(line, page.data.length === 1 && at === 0))) : none(wanted, batch),
      page.has_more || cursors.length > 1
        ? h("nav", { class: "pager", "aria-label": "Pages of lines" },
            h("button", { type: "button", disabled: cursors.length < 2, on: { click: () => to(cursors.slice(0, -1)) } }, "Back"),
            h("button", { type: "button", disabled: !page.has_more, on: { click: () => to([...cursors, page.next]) } }, "Next"))
        : null);
  } catch (error) {
    if (error.name !== "AbortError") show(list, problem(error, () => to(cursors)));
  }
}

const none = ({ outcome, custom_id }, batch) => (custom_id ? empty("No such line", "No line that was sent has this custom_id.")
  : outcome ? empty("No errors here", "No line from here on has failed.")
  : empty("No lines yet", batch.dry_run ? "Nothing was sent: the batch was only estimated." : "A line appears once its shard has begun."));

function row(line, isOpen) {
  const { result } = line;
  const summary = h("summary", null,
    h("span", { class: "figures line-number" }, count(line.line)), h("span", { class: "mono cut" }, line.file ? `${line.custom_id} of ${line.file}:${line.file_line}` : line.custom_id),
    h("span", { class: "cut soft snippet" }, snippet(line)), h("span", { class: "cut soft" }, finish(result) ?? ""), badge(line.outcome ?? "running", line.outcome ? undefined : "No answer yet"));
  const pair = h("div", { class: "pair" });
  const details = h("details", { class: "line", open: isOpen }, summary, pair);
  const fill = () => {
    if (!details.open || pair.firstChild) return; // what nobody opens costs nothing
    pair.append(pane("Request", line.request?.body ?? line.request, line.cut.request), pane(line.outcome === "failed" ? "Error" : "Answer", answerOf(result), line.cut.result));
  };
  details.addEventListener("toggle", fill);
  fill();
  return details;
}

function pane(name, value, cut) {
  const text = cut ? `${cut.start}\n… ${bytes(cut.bytes)} in all` : value == null ? "Nothing is there." : JSON.stringify(value, null, 2);
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n…` : text;
  return h("section", { "aria-label": name }, h("h2", { class: "small" }, name), readable(value), h("pre", { tabindex: "0", "aria-label": `${name} as JSON` }, shown));
}

/** The words of a request or an answer, as they are read; the JSON stands below. */
function readable(value) {
  const said = words(value);
  return said ? h("p", { class: "said" }, said.slice(0, 20_000)) : null;
}

const part = (content) => (typeof content === "string" ? content : Array.isArray(content) ? content.map((each) => each?.text ?? "").filter(Boolean).join("\n") : "");

function words(body) {
  if (!body || typeof body !== "object") return "";
  const choice = body.choices?.[0];
  const last = Array.isArray(body.messages) ? body.messages.at(-1) : null;
  const output = Array.isArray(body.output) ? body.output.map((each) => part(each?.content)).filter(Boolean).join("\n") : "";
  return part(choice?.message?.content) || choice?.text || output || part(body.content) || body.error?.message || body.message || part(last?.content) || part(body.input) || part(body.prompt) || "";
}

const answerOf = (result) => result?.error ?? result?.response?.body ?? result;
const snippet = (line) => words(answerOf(line.result)).slice(0, 160) || words(line.request?.body).slice(0, 160);
const finish = (result) => result?.response?.body?.choices?.[0]?.finish_reason ?? result?.response?.body?.status ?? result?.response?.body?.stop_reason ?? result?.error?.code ?? result?.response?.body?.error?.code ?? result?.response?.body?.error?.type;
