// The figures of the stack on this machine, as its dashboard on AWS defines them; looked at every five seconds.

import { h, s, show } from "./dom.js";
import { clock, compact, money, span as shownSpan } from "./format.js";

const EVERY = 5_000;
const COLOURS = 8;
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [400, 130, 44, 44, 8, 20];
const STATES = { OK: ["good", "OK"], ALARM: ["bad", "Alarm"], INSUFFICIENT_DATA: ["", "no data yet"], UNKNOWN: ["", "not evaluated here"] };
const main = document.getElementById("main");
const notice = document.getElementById("notice");

const latest = (values) => values.findLast((value) => value != null);
function plain(value) {
  if (value == null) return "–";
  if (value && Math.abs(value) < 0.001) return value.toExponential(0);
  return Math.abs(value) < 10 && value % 1 ? value.toPrecision(2) : compact(value);
}
const shower = (widget) => (widget.unit.startsWith("$") ? (value) => money(value == null ? value : Number(value.toPrecision(3))) : plain);

function alarms(known) {
  const one = ({ name, state }) => {
    const [kind, words] = STATES[state] ?? STATES.UNKNOWN;
    return h("li", {}, h("span", { class: `badge ${kind}` }, `${name}: ${words}`));
  };
  return h("section", { class: "card", "aria-labelledby": "alarms" }, h("h2", { id: "alarms" }, "Alarms"), h("ul", { class: "alarms" }, known.map(one)));
}

function chart(widget, times, drawn) {
  const number = shower(widget);
  const span = times.at(-1) - times[0];
  const x = (at) => LEFT + ((WIDTH - LEFT - RIGHT) * (at - times[0])) / span;
  const top = (right) => Math.max(...drawn.filter((line) => line.right === right).flatMap((line) => line.values.map((value) => value ?? 0)), 0) || 1;
  const tops = { false: top(false), true: top(true) };
  const y = (value, right) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.max(0, value) / tops[right]);
  const way = (line) => {
    let open = false;
    return line.values.map((value, at) => {
      if (value == null) { open = false; return ""; }
      const place = `${x(times[at]).toFixed(1)},${y(value, line.right).toFixed(1)}`;
      const step = open ? `L${place}` : `M${place}h0.01`;
      open = true;
      return step;
    }).join("");
  };
  const words = drawn.map((line) => `${line.label} ${number(latest(line.values))}`).join(", ");
  const bounds = widget.bounds.filter(({ value }) => value <= tops.false);
  return s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${widget.title}, the last ${shownSpan(60 * Math.round(span / 60))}. Latest: ${words}.` },
    [0, 0.5, 1].map((part) => [
      s("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(tops.false * part, false), y2: y(tops.false * part, false) }),
      s("text", { x: LEFT - 6, y: y(tops.false * part, false) + 4, "text-anchor": "end" }, plain(tops.false * part)),
      widget.unit_right && drawn.some((line) => line.right) ? s("text", { x: WIDTH - RIGHT + 6, y: y(tops.true * part, true) + 4 }, plain(tops.true * part)) : null,
    ]),
    bounds.map(({ value }) => s("line", { class: "bound", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value, false), y2: y(value, false) })),
    drawn.map((line) => s("path", { class: `plot series-${line.colour}`, d: way(line) })),
    [0, 0.5, 1].map((part, at) => s("text", { x: x(times[0] + span * part), y: HEIGHT - 4, "text-anchor": ["start", "middle", "end"][at] }, clock(times[0] + span * part, span).slice(0, 5))));
}

const drawnOf = (widget) => widget.lines.map((line, index) => ({ ...line, colour: index % COLOURS })).filter((line) => latest(line.values) != null);

function card(widget, times, at) {
  const number = shower(widget);
  const drawn = drawnOf(widget);
  const idle = widget.lines.length - drawn.length;
  const row = (line) => h("li", {}, h("span", { class: `swatch series-${line.colour}`, "aria-hidden": "true" }), h("span", {}, line.label), h("b", {}, number(latest(line.values))));
  return h("section", { class: "card", "aria-labelledby": `widget-${at}`, "data-key": widget.title },
    h("h2", { id: `widget-${at}` }, widget.title, widget.unit ? h("span", { class: "unit" }, ` · ${widget.unit}`) : null),
    h("figure", { class: "chart" }, chart(widget, times, drawn)), h("ul", { class: "legend" }, drawn.map(row)),
    idle ? h("p", { class: "help" }, `Nothing of ${idle} more.`) : null,
    widget.unmeasured.length ? h("p", { class: "help" }, `Not measured here: ${widget.unmeasured.join(", ")}.`) : null,
    widget.bounds.map(({ label, value }) => h("p", { class: "help" }, `Dashed: ${label} ${number(value)}.`)));
}

function rest(widgets) {
  const one = (widget) => h("li", {}, widget.lines.length ? widget.title : `${widget.title} (not measured here)`);
  return h("section", { class: "card", "aria-labelledby": "idle" }, h("h2", { id: "idle" }, "Nothing to show of these"), h("ul", { class: "idle" }, widgets.map(one)));
}

function picture({ times, alarms: known, widgets }) {
  const busy = widgets.filter((widget) => drawnOf(widget).length);
  const quiet = widgets.filter((widget) => !drawnOf(widget).length);
  show(main,
    h("div", { class: "view" },
      h("div", {}, h("h1", {}, "Operator"), h("p", { class: "lead" }, `All tenants of the stack on this machine, over the last ${shownSpan(60 * Math.round((times.at(-1) - times[0]) / 60))}. On AWS, the dashboard of CloudWatch shows the same figures.`)),
      widgets.length ? [alarms(known), h("div", { class: "board" }, busy.map((widget, at) => card(widget, times, at))), quiet.length ? rest(quiet) : null]
        : h("div", { class: "empty" }, h("h2", {}, "There is no dashboard"), h("p", {}, "The stack was deployed with Dashboard=false."))));
}

async function look() {
  if (!document.hidden) {
    try {
      const answer = await fetch("operator/figures", { cache: "no-store" });
      if (!answer.ok) throw new Error(`The figures could not be read: ${answer.status}.`);
      picture(await answer.json());
      show(notice);
    } catch (error) {
      const words = error instanceof TypeError ? "The connection is lost. What you see may be old; we keep trying." : error.message;
      show(notice, h("p", { class: "lost" }, words));
    }
  }
  setTimeout(look, EVERY);
}

look();
