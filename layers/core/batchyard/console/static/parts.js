// Parts that several pages have.

import { h } from "./dom.js";
import { ago, count, percent } from "./format.js";

const WORDS = {
  validating: "Checking", in_progress: "Running", finalizing: "Finishing", completed: "Completed", failed: "Failed",
  expired: "Expired", cancelling: "Cancelling", cancelled: "Cancelled", paused: "Paused", at_provider: "At the provider",
  waiting: "Waiting", draining: "Draining", done: "Done", succeeded: "Succeeded", running: "Running", processed: "Ready",
  uploaded: "Not sent yet", delivered: "Delivered", pending: "Pending", undelivered: "Not delivered", good: "Good", revoked: "Revoked",
};
const TONES = {
  completed: "good", done: "good", succeeded: "good", processed: "good", delivered: "good", good: "good", failed: "bad", expired: "bad",
  undelivered: "bad", paused: "warn", cancelling: "warn", draining: "warn",
  validating: "busy", in_progress: "busy", finalizing: "busy", at_provider: "busy", pending: "busy",
};
export const ENDED = new Set(["completed", "failed", "expired", "cancelled"]);

export const statusOf = (batch) => (batch.paused && !ENDED.has(batch.status) ? "paused" : batch.status);
export const word = (status) => WORDS[status] ?? status;

export const badge = (status, text) => h("span", { class: `badge ${TONES[status] ?? ""}` }, text ?? word(status));

/** A bar of what is done and what failed of a total; the numbers stand beside it for those who do not see it. */
export function bar(counts, label) {
  const { total = 0, completed = 0, failed = 0 } = counts ?? {};
  const node = h("span", { class: "bar", role: "img", "aria-label": label ?? `${percent(completed + failed, total)} percent` },
    h("span", { class: "fill" }), h("span", { class: "fill bad" }));
  node.painted = (at) => {
    at.children[0].style.width = `${total ? (100 * completed) / total : 0}%`;
    at.children[1].style.width = `${total ? (100 * failed) / total : 0}%`;
  };
  node.painted(node);
  return node;
}

export const progressWords = ({ total, completed, failed }, ended = false) =>
  [total ? `${count(completed)} of ${count(total)}` : ended ? "no lines" : "no lines yet", failed ? `${count(failed)} failed` : null].filter(Boolean).join(" · ");

export const title = (text, ...more) => h("div", { class: "title" }, h("h1", { tabindex: "-1" }, text), h("div", { class: "actions" }, more));

export const field = (label, control, help) =>
  h("label", { class: "field" }, h("span", { class: "label" }, label), control, help ? h("span", { class: "help" }, help) : null);

export const empty = (head, text, ...acts) => h("div", { class: "empty" }, h("h2", null, head), h("p", null, text), acts.length ? h("div", { class: "actions" }, acts) : null);

export const loading = () =>
  h("div", { class: "loading", role: "status" }, h("span", { class: "hidden" }, "Loading"), [1, 2, 3, 4].map(() => h("span", { class: "ghost" })));

export const problem = (error, again) =>
  h("div", { class: "note bad", role: "alert" }, h("p", null, error.message), again ? h("button", { type: "button", on: { click: again } }, "Try again") : null);

/** A time that the page keeps true by itself. */
export const since = (seconds) => h("time", { datetime: new Date(seconds * 1000).toISOString(), "data-since": seconds }, ago(seconds));

export function keepTimesTrue() {
  for (const each of document.querySelectorAll("time[data-since]")) each.textContent = ago(Number(each.dataset.since));
}

/** A table whose cells say their column, for phones, where a row becomes a card. */
export const table = (caption, columns, rows) =>
  h("div", { class: "scroll" }, h("table", null,
    h("caption", { class: "hidden" }, caption),
    h("thead", null, h("tr", null, columns.map(([name, kind]) => h("th", { scope: "col", class: kind ?? "" }, kind === "acts" ? h("span", { class: "hidden" }, name) : name)))),
    h("tbody", null, rows.map(({ key, cells, attributes }) => h("tr", { ...(key == null ? {} : { "data-key": key }), ...attributes },
      cells.map((cell, at) => h("td", { class: columns[at][1] ?? "", "data-name": columns[at][0] }, cell)))))));

/** Ask before something that cannot be taken back; true if the person says yes. */
export function sure(question, text, yes) {
  return new Promise((decide) => {
    const dialog = h("dialog", { "aria-labelledby": "question" },
      h("h2", { id: "question" }, question), h("p", null, text),
      h("div", { class: "actions end" },
        h("button", { type: "button", on: { click: () => dialog.close("no") } }, "Go back"),
        h("button", { type: "button", class: "danger", on: { click: () => dialog.close("yes") } }, yes)));
    dialog.addEventListener("close", () => {
      decide(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Show a secret, this once: it can be copied, and is gone from the page when the person goes on. */
export function once(head, text, secret) {
  const shown = h("pre", { tabindex: "0", "aria-label": head }, secret);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(secret);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(shown);
      button.textContent = "Selected: copy it by hand";
    }
  };
  const button = h("button", { type: "button", "aria-live": "polite", on: { click: copy } }, "Copy");
  const dialog = h("dialog", { "aria-labelledby": "once" }, h("h2", { id: "once" }, head), h("p", null, text), shown,
    h("div", { class: "actions end" }, button,
      h("button", { type: "button", class: "primary", on: { click: () => dialog.close() } }, "I have kept it")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Say something for some seconds, without taking the focus. */
export function say(text, tone = "") {
  const toast = h("p", { class: `toast ${tone}`, role: tone === "bad" ? "alert" : "status" }, text);
  document.body.append(toast);
  setTimeout(() => toast.remove(), 6_000);
}

/** Do an act of the person's, with its button off meanwhile; an error is said. */
export async function act(event, work) {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, "bad");
  } finally {
    button.disabled = false;
  }
}

/** Have the browser save what is at an address. */
export function save(url, name) {
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}
