// The keys of the tenant: any key sees them, and one with the right to makes and revokes others.

import { get, post, query } from "../api.js";
import { h, show } from "../dom.js";
import { when } from "../format.js";
import { act, badge, empty, field, loading, once, problem, say, since, sure, table, title } from "../parts.js";

const PAGE = 100;

export async function open(main, { signal }) {
  const body = h("div", { class: "view" });
  main.append(body);
  show(body, loading());
  const load = async () => {
    try {
      const keys = await all(signal);
      const mine = keys.find((key) => key.current);
      body.replaceChildren(); // the field of the form below is a new one
      show(body, title("Keys"),
        h("p", { class: "lead" }, "Every key of your tenant opens the same batches. A key itself is shown only when it is made."),
        keys.length > 1 ? list(keys, mine?.admin, load) : [list(keys, false, load), empty("No other key", mine?.admin ? "Make one for each program and each person, so that one can be revoked alone." : "You use the only key of your tenant.")],
        mine?.admin ? making(load) : h("p", { class: "note" }, "This key may not make or revoke keys. Whoever runs this service can make one that may."));
    } catch (error) {
      if (error.name !== "AbortError") show(body, title("Keys"), problem(error, load));
    }
  };
  await load();
}

async function all(signal) {
  const found = [];
  let after;
  do {
    const page = await get(query("api_keys", { limit: PAGE, after }), { signal });
    found.push(...page.data);
    after = page.has_more ? page.last_id : null;
  } while (after);
  return found;
}

const cell = (...lines) => h("span", null, lines.filter(Boolean).map((line) => h("span", { class: "name" }, line)));

const list = (keys, admin, load) => table("Keys of the tenant", [["Key"], ["State"], ["Made", "number"], ["Last used", "number"], ["Acts", "acts"]], keys.map((key) => ({ key: key.id, cells: [
  cell(key.name || "No name", h("span", { class: "mono soft" }, key.id), key.current && h("span", { class: "soft" }, "The key you use now")),
  cell(badge(key.revoked_at ? "revoked" : "good"), key.admin && h("span", { class: "soft" }, "May make keys")),
  cell(when(key.created_at), h("span", { class: "soft" }, key.made_by ? `by ${key.made_by}` : "by the operator")),
  key.revoked_at ? `Revoked ${when(key.revoked_at)}` : key.last_used_at ? since(key.last_used_at) : "Never",
  admin && !key.revoked_at ? h("button", { type: "button", class: "danger", "aria-label": `Revoke ${key.name || key.id}`, on: { click: (event) => act(event, () => revoke(key, load)) } }, "Revoke") : null] })));

async function revoke(key, load) {
  const text = key.current
    ? "You are signed in with this very key: within a minute you are signed out, and every program that uses it stops."
    : "Every program that uses it stops within a minute. It cannot be brought back.";
  if (!(await sure(`Revoke ${key.name || key.id}?`, text, "Revoke the key"))) return;
  await post(`api_keys/${key.id}/revoke`, key.current ? { itself: true } : {});
  say("The key is revoked.");
  await load();
}

function making(load) {
  const called = h("input", { maxlength: 64, autocomplete: "off" });
  const make = (event) => {
    event.preventDefault();
    act({ currentTarget: event.submitter ?? event.currentTarget.querySelector("button") }, async () => {
      const made = await post("api_keys", { name: called.value.trim() });
      await load();
      once("The new key", "It is shown only now. Keep it where its program can read it.", made.key);
    });
  };
  return h("section", { class: "card", "data-key": "make" }, h("h2", null, "Make a key"), h("form", { class: "stack", on: { submit: make } },
    field("Name", called, "Of the program or person that uses it. The key sees all of your tenant, and may make no keys."),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Make a key"))));
}
