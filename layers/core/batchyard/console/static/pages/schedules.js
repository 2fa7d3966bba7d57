// Batches by the clock: when each schedule fires, what its last firing became, and the batches that it made.

import { get, post, remove } from "../api.js";
import { h, show } from "../dom.js";
import { money, when } from "../format.js";
import { live, lookNow } from "../live.js";
import { act, empty, loading, problem, say, since, sure, table, title } from "../parts.js";
import { pages } from "./batches.js";

const MOST = 100; // schedules of a tenant
const WORDS = { skip: "skips a firing while the batch before runs", queue: "waits for the batch before" };

export async function open(main, { rest: [id], signal }) {
  const body = h("div", { class: "view" });
  main.append(body);
  show(body, loading());
  if (id) return one(main, body, id, signal);
  const draw = ({ data }) => show(body, title("Schedules"), data.length ? list(data) : none());
  live(signal, () => get(`schedules?limit=${MOST}`, { signal }), draw, { failed: (error) => show(body, title("Schedules"), problem(error, lookNow)) });
}

const none = () => empty("No schedules yet", ["A schedule makes a batch at times of the clock, of one object or of what came into a folder. Make one with ",
  h("code", null, "batchyard schedule create"), " or with ", h("code", null, "POST /v1/schedules"), "."]);

const soft = (...words) => h("span", { class: "name soft" }, words);

/** Text in which the id of a batch leads to its page. */
const linked = (text) => String(text).split(/(batch_[0-9a-f]{32})/).map((part, at) => (at % 2 ? batchLink(part) : part));

const batchLink = (id) => h("a", { class: "mono", href: `#/batches/${id}`, title: id }, `${id.slice(0, 14)}…`);

const list = (schedules) => table("Schedules, newest first", [["Schedule"], ["Fires"], ["Next, your time", "number"], ["Last firing"], ["Acts", "acts"]],
  schedules.map((each) => ({ key: each.id, cells: [
    h("span", null, h("a", { class: "name", href: `#/schedules/${each.id}` }, each.name), h("span", { class: "name mono soft" }, source(each))),
    h("span", null, h("span", { class: "name mono" }, each.schedule), soft(each.timezone, each.hours ? `, in ${each.hours}` : "")),
    next(each), h("span", { class: "why" }, last(each)), acts(each, lookNow)] })));

const source = (schedule) => schedule.input.prefix ?? schedule.input.key;

const next = (schedule) => (schedule.next_firing_at ? when(schedule.next_firing_at) : "Never again");

function last({ last_firing: fired, waits_for: waits }) {
  const before = !fired ? "None yet" : fired.batch_id ? [batchLink(fired.batch_id), " ", since(fired.scheduled_for)]
    : ["No batch (", since(fired.scheduled_for), "): ", linked(fired.reason)];
  return waits ? [h("span", { class: "name" }, "Waits: ", linked(waits)), fired ? soft("Before it: ", before) : null] : before;
}

const acts = (schedule, after) => h("span", { class: "actions end" },
  h("button", { type: "button", "data-key": "run", "aria-label": `Run now: ${schedule.name}`, on: { click: (event) => act(event, () => run(schedule)) } }, "Run now"),
  h("button", { type: "button", "data-key": "delete", class: "danger", "aria-label": `Delete ${schedule.name}`, on: { click: (event) => act(event, () => drop(schedule, after)) } }, "Delete"));

async function run(schedule) {
  await post(`schedules/${schedule.id}/run`, undefined, { headers: { "Idempotency-Key": crypto.randomUUID() } });
  say("It fires now. Its batch is here in a moment.");
  lookNow();
}

async function drop(schedule, after) {
  if (!(await sure(`Delete ${schedule.name}?`, "It fires no more. Its batches stay, and those that run go on.", "Delete the schedule"))) return;
  await remove(`schedules/${schedule.id}`);
  say("The schedule is deleted.");
  after();
}

function one(main, body, id, signal) {
  const batches = h("section", { class: "view", "aria-label": "Batches of this schedule" });
  const draw = (schedule) => {
    document.title = `${schedule.name} · Batchyard`;
    show(body, crumbs(), title(schedule.name, acts(schedule, () => { location.hash = "/schedules"; })), h("section", { class: "card" }, pairs(schedule)), h("h2", null, "Batches"));
  };
  const gone = (error) => show(body, crumbs(), title("Schedule"),
    error.status === 404 ? h("p", { class: "note" }, "This schedule was deleted, or never was. What batches it made are listed for 30 days after that.") : problem(error, lookNow));
  main.append(batches);
  live(signal, () => get(`schedules/${id}`, { signal }), draw, { failed: gone });
  pages(batches, signal, { from: `schedules/${id}/batches`, none: () => empty("No batches", "Each batch that it makes is listed here.") });
}

const crumbs = () => h("nav", { "aria-label": "Where you are", class: "crumbs" }, h("a", { href: "#/schedules" }, "Schedules"), h("span", { "aria-hidden": "true" }, "/"));

/** Each member of a schedule that says something; those that have no words of their own by the name that the API has for them. */
function pairs(schedule) {
  const { id, object, name, schedule: times, timezone, input, next_firing_at, waits_for, last_firing, created_at, overlap, hours, endpoint, completion_window, max_cost_usd, ...rest } = schedule;
  const rows = [["Fires", h("span", { class: "mono" }, times)], ["Time zone", timezone], [input.prefix ? "Gathers" : "Runs", h("span", { class: "mono" }, source(schedule))], ["Next firing, your time", next(schedule)],
    ["Last firing", last({ last_firing })], ["Waits for", waits_for && linked(waits_for)], ["Overlap", WORDS[overlap] ?? overlap], ["Hours", hours], ["Endpoint", endpoint], ["Window", completion_window],
    ["Most a batch may cost", max_cost_usd == null ? null : money(max_cost_usd)],
    ...Object.entries(rest).map(([member, value]) => [h("span", { class: "mono" }, member), value == null || typeof value === "string" ? value : JSON.stringify(value)]),
    ["Made", when(created_at)], ["Id", h("span", { class: "mono" }, id)]];
  return h("dl", { class: "pairs" }, rows.filter(([, value]) => value != null).flatMap(([term, value]) => [h("dt", null, term), h("dd", null, value)]));
}
