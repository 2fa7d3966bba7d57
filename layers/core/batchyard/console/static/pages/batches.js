// All batches: where each stands, newest first. However many there are, a page of them is held and shown.

import { get, query } from "../api.js";
import { h, show } from "../dom.js";
import { count, money, plural } from "../format.js";
import { live } from "../live.js";
import { ENDED, badge, bar, empty, field, loading, problem, progressWords, since, statusOf, table, title, word } from "../parts.js";

const SHOWN = 50;
const WALKED = 100; // batches of one request when something is searched
const AT_ONCE = 100; // requests, and so 10,000 batches, until the person is asked whether to search on
const FILTERS = ["", "validating", "in_progress", "paused", "finalizing", "completed", "failed", "cancelling", "cancelled"];

export async function open(main, { search, signal }) {
  const wanted = { text: search.get("q") ?? "", status: search.get("status") ?? "" };
  const list = h("section", { class: "view", "aria-label": "Batches" });
  const box = h("input", { type: "search", placeholder: "Id, or a word of the metadata", value: wanted.text });
  const filter = h("select", null, FILTERS.map((each) => h("option", { value: each, selected: each === wanted.status }, each ? word(each) : "Any")));
  const find = (event) => {
    event?.preventDefault();
    location.hash = query("/batches", { q: box.value.trim(), status: filter.value });
  };
  filter.addEventListener("change", find);
  main.append(title("Batches"),
    h("form", { class: "bar-of-fields", role: "search", on: { submit: find } }, field("Search", box), field("Status", filter), h("button", { type: "submit" }, "Search")),
    list);
  show(list, loading());
  if (wanted.text || wanted.status) await found(list, wanted, signal);
  else pages(list, signal);
}

function pages(list, signal) {
  let turned = new AbortController();
  const turn = (cursors) => {
    turned.abort();
    turned = new AbortController();
    const stop = AbortSignal.any([signal, turned.signal]);
    const path = query("batches", { limit: SHOWN, after: cursors.at(-1) });
    const draw = (page) => {
      if (!page.data.length && !cursors.length) return show(list, nothing());
      const first = cursors.length * SHOWN;
      show(list, rows(page.data),
        page.has_more || cursors.length
          ? h("nav", { class: "pager", "aria-label": "Pages of batches" },
              h("button", { type: "button", disabled: !cursors.length, on: { click: () => turn(cursors.slice(0, -1)) } }, "Newer"),
              h("span", { class: "figures" }, `${count(first + 1)} to ${count(first + page.data.length)}`),
              h("button", { type: "button", disabled: !page.has_more, on: { click: () => turn([...cursors, page.last_id]) } }, "Older"))
          : null);
    };
    live(stop, () => get(path, { signal: stop }), draw, { failed: (error) => show(list, problem(error, () => turn(cursors))) });
  };
  turn([]);
}

const nothing = () => empty("No batches yet", "A batch is a file of requests, one a line. Drop one, and see its price before anything is sent.",
  h("a", { class: "button primary", href: "#/new" }, "Send a file"));

function rows(batches) {
  const columns = [["Status"], ["Batch"], ["Progress"], ["Model"], ["Begun", "number"], ["Cost", "number"]];
  return table("Batches, newest first", columns, batches.map((batch) => ({
    key: batch.id,
    cells: [
      badge(statusOf(batch)),
      h("span", null, h("a", { class: "mono", href: `#/batches/${batch.id}`, title: batch.id }, `${batch.id.slice(0, 14)}…`), chips(batch)),
      batch.dry_run ? h("span", { class: "soft" }, `${plural(batch.request_counts.total, "line")}, only estimated`)
        : h("span", { class: "progress" }, bar(batch.request_counts), h("span", { class: "figures soft" }, progressWords(batch.request_counts, ENDED.has(batch.status)))),
      h("span", { class: "cut", title: batch.model ?? "" }, batch.model ?? "–"),
      since(batch.created_at),
      money(batch.cost?.usd ?? null),
    ],
  })));
}

const chips = (batch) => {
  const given = Object.entries(batch.metadata ?? {}).slice(0, 3);
  return given.length ? h("span", { class: "chips" }, given.map(([name, value]) => h("span", { class: "chip", title: `${name}: ${value}` }, `${name}: ${value}`))) : null;
};

const fits = ({ text, status }) => (batch) =>
  (!status || statusOf(batch) === status) &&
  (!text || [batch.id, ...Object.entries(batch.metadata ?? {}).flat()].some((each) => String(each).toLowerCase().includes(text.toLowerCase())));

/** Search batch by batch, as the API has no index of words; a whole id is asked for by itself. */
async function found(list, wanted, signal) {
  const whole = /^batch_[0-9a-f]{32}$/.test(wanted.text);
  let [hits, looked, after, more] = [[], 0, undefined, true];
  const draw = (busy) => {
    const said = h("p", { class: "soft figures", role: "status" },
      `${count(hits.length)} found among ${count(looked)} batches${busy ? ", searching on …" : more ? "." : ", which are all."}`);
    const on = more && !busy ? h("button", { type: "button", on: { click: walk } }, "Search on") : null;
    const none = !hits.length && !busy && !more ? empty("Nothing fits", "No batch has this in its id or metadata, with this status.", h("a", { class: "button", href: "#/batches" }, "Show all")) : null;
    show(list, said, hits.length ? rows(hits) : busy ? loading() : none, on);
  };
  const walk = async () => {
    const enough = hits.length + SHOWN;
    try {
      for (let turn = 0; turn < AT_ONCE && more && hits.length < enough; turn += 1) {
        const page = await get(query("batches", { limit: WALKED, after }), { signal });
        hits = [...hits, ...page.data.filter(fits(wanted))];
        [looked, after, more] = [looked + page.data.length, page.last_id, page.has_more];
        draw(true);
      }
      draw(false);
    } catch (error) {
      if (error.name !== "AbortError") show(list, problem(error, walk));
    }
  };
  if (whole) {
    try {
      const batch = await get(`batches/${wanted.text}`, { signal });
      location.replace(`#/batches/${batch.id}`);
      return;
    } catch (error) {
      if (error.status !== 404) throw error;
      more = false;
      draw(false);
      return;
    }
  }
  await walk();
}
