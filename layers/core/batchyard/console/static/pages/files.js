// The files of this key's tenant: inputs and results.

import { get, query, remove } from "../api.js";
import { h, show } from "../dom.js";
import { bytes, when } from "../format.js";
import { live, lookNow } from "../live.js";
import { act, badge, empty, problem, loading, save, say, sure, table, title } from "../parts.js";

const SHOWN = 50;
const PURPOSES = { batch: "Input", batch_output: "Results" };

export async function open(main, { signal }) {
  const list = h("section", { "aria-label": "Files" });
  main.append(title("Files"), list);
  show(list, loading());
  let turned = new AbortController();
  const turn = (cursors) => {
    turned.abort();
    turned = new AbortController();
    const stop = AbortSignal.any([signal, turned.signal]);
    const draw = (page) => show(list, page.data.length || cursors.length ? rows(page.data) : empty("No files", "Inputs that you send and results of batches are listed here.", h("a", { class: "button primary", href: "#/new" }, "Send a file")),
      page.has_more || cursors.length ? h("nav", { class: "pager", "aria-label": "Pages of files" },
        h("button", { type: "button", disabled: !cursors.length, on: { click: () => turn(cursors.slice(0, -1)) } }, "Newer"),
        h("button", { type: "button", disabled: !page.has_more, on: { click: () => turn([...cursors, page.last_id]) } }, "Older")) : null);
    live(stop, () => get(query("files", { limit: SHOWN, after: cursors.at(-1) }), { signal: stop }), draw, { failed: (error) => show(list, problem(error, () => turn(cursors))), ended: () => true });
  };
  turn([]);
}

const rows = (files) => table("Files, newest first", [["Name"], ["Kind"], ["Size", "number"], ["Created", "number"], ["Expires", "number"], ["Status"], ["Actions", "acts"]],
  files.map((file) => ({ key: file.id, cells: [
    h("span", null, h("span", { class: "name" }, file.filename), h("span", { class: "mono soft" }, file.id)),
    PURPOSES[file.purpose] ?? file.purpose, bytes(file.true_bytes ?? file.bytes), when(file.created_at), file.expires_at ? when(file.expires_at) : "never", badge(file.status),
    h("span", { class: "actions end" },
      h("button", { type: "button", disabled: file.status !== "processed", "aria-label": `Download ${file.filename}`, on: { click: (event) => act(event, async () => {
        const link = await get(`files/${file.id}/link`);
        save(link.url, link.filename);
      }) } }, "Download"),
      h("button", { type: "button", class: "danger", "aria-label": `Delete ${file.filename}`, on: { click: (event) => act(event, () => drop(file)) } }, "Delete")),
  ] })));

async function drop(file) {
  if (!(await sure("Delete this file?", `${file.filename} goes for good. A batch that already reads it goes on.`, "Delete the file"))) return;
  await remove(`files/${file.id}`);
  say("The file is deleted.");
  lookNow();
}
