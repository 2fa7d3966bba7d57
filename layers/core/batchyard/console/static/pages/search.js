// A search among all batches, by id, by a word of the metadata, and by status.

import { get, query } from "../api.js";
import { h, show } from "../dom.js";
import { count } from "../format.js";
import { empty, loading, problem, statusOf } from "../parts.js";
import { SHOWN, rows } from "./batches.js";

const WALKED = 100; // batches of one request
const AT_ONCE = 100; // requests, and so 10,000 batches, until the person is asked whether to search on

const fits = ({ text, status }) => (batch) =>
  (!status || statusOf(batch) === status) &&
  (!text || [batch.id, ...Object.entries(batch.metadata ?? {}).flat()].some((each) => String(each).toLowerCase().includes(text.toLowerCase())));

/** Search batch by batch, as the API has no index of words; a whole id is asked for by itself. */
export async function found(list, wanted, signal) {
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
