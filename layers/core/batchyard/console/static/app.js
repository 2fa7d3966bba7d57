// The frame: who is signed in, which page is shown, and whether the connection is there.

import { ApiError, get, session } from "./api.js";
import { h, show } from "./dom.js";
import { field, keepTimesTrue, loading, problem } from "./parts.js";

const PAGES = {
  batches: ["Batches", () => import("./pages/batches.js")],
  schedules: ["Schedules", () => import("./pages/schedules.js")],
  new: ["New", () => import("./pages/new.js")],
  files: ["Files", () => import("./pages/files.js")],
  usage: ["Usage", () => import("./pages/usage.js")],
  webhooks: ["Webhooks", () => import("./pages/webhooks.js")],
  keys: ["Keys", () => import("./pages/keys.js")],
};
const top = document.getElementById("top");
const main = document.getElementById("main");
const notice = document.getElementById("notice");
let leaving = new AbortController();

function place() {
  const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...rest] = path.split("/").map(decodeURIComponent);
  return { name: name || "batches", rest, search: new URLSearchParams(search) };
}

function frame(name) {
  if (!session.key) {
    show(top);
    return;
  }
  const link = (to) => h("a", { href: `#/${to}`, "aria-current": to === name ? "page" : null }, PAGES[to][0]);
  show(top,
    h("a", { class: "brand", href: "#/batches" }, h("span", { class: "mark", "aria-hidden": "true" }), "Batchyard"),
    h("nav", { "aria-label": "Pages" }, ["batches", "schedules", "files", "usage", "webhooks", "keys"].map(link)),
    h("a", { class: "button primary new", href: "#/new", "aria-current": name === "new" ? "page" : null }, "New"),
    h("button", { type: "button", class: "quiet", on: { click: () => signOut() } }, "Sign out"));
  top.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }); // on a phone
}

async function go() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const { name, rest, search } = place();
  frame(name);
  if (!session.key) return signIn();
  const known = PAGES[name] ?? PAGES.batches;
  document.title = `${known[0]} · Batchyard`;
  show(main, loading());
  try {
    const page = await (name === "batches" && rest.length ? import("./pages/batch.js") : known[1]());
    if (signal.aborted) return;
    main.replaceChildren();
    await page.open(main, { rest, search, signal });
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    show(main, problem(error, go));
  }
}

function signIn(why) {
  document.title = "Sign in · Batchyard";
  const key = h("input", { name: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, id: "key" });
  const said = h("p", { class: "note bad", role: "alert", hidden: !why }, why ?? "");
  const button = h("button", { type: "submit", class: "primary" }, "Sign in");
  const form = h("form", { class: "card narrow", on: { submit: (event) => check(event, key, said, button) } },
    h("h1", { tabindex: "-1" }, "Batchyard"),
    h("p", { class: "lead" }, "Look at your batches, and send new ones."),
    field("API key", key, "It stays in this tab, and is gone when you close the tab."), said, button);
  show(main);
  main.append(form);
  key.focus();
}

async function check(event, input, said, button) {
  event.preventDefault();
  const key = input.value.trim();
  if (!key) return;
  button.disabled = true;
  said.hidden = true;
  try {
    await get("batches?limit=1", { key });
    session.begin(key);
    go();
  } catch (error) {
    const wrong = error instanceof ApiError && error.status === 401;
    said.textContent = wrong ? "This key is unknown or was revoked. Whoever runs this service makes keys." : error.message;
    said.hidden = false;
    input.select();
  } finally {
    button.disabled = false;
  }
}

function signOut(why) {
  leaving.abort();
  session.end();
  frame();
  signIn(why);
}

addEventListener("hashchange", async () => {
  if (location.hash === "#main") return;
  await go();
  main.querySelector("h1")?.focus({ preventScroll: true });
  scrollTo(0, 0);
});
addEventListener("signed-out", () => session.key && signOut("The key is not taken any more. Sign in again."));
addEventListener("connection", ({ detail }) =>
  show(notice, detail.lost ? h("p", { class: "lost" }, "The connection is lost. What you see may be old; we keep trying.") : null));
addEventListener("unhandledrejection", (event) => {
  if (event.reason?.name === "AbortError") event.preventDefault();
});
setInterval(keepTimesTrue, 10_000);
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
go();
