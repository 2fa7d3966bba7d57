// Small charts, drawn as SVG: progress over time, and bars by day.

import { h, s } from "./dom.js";
import { clock, compact, count, money, plural, span } from "./format.js";

const isNarrow = matchMedia("(max-width: 46rem)").matches;
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = isNarrow ? [400, 200, 64, 8, 10, 26] : [1040, 230, 64, 8, 10, 26];

/** Draw how many lines were done and failed at which time, out of a total. */
export function progressChart(points, total, since, until) {
  const drawn = points;
  if (!drawn.some((point) => point.completed + point.failed)) return h("p", { class: "soft" }, "The chart begins with the first answers.");
  const end = Math.max(until, drawn.at(-1).at, since + 1);
  const top = Math.max(1, total);
  const x = (at) => LEFT + ((WIDTH - LEFT - RIGHT) * (Math.max(at, since) - since)) / (end - since);
  const y = (lines) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.min(1, lines / top));
  const way = (of) => drawn.map((point) => `${x(point.at).toFixed(1)},${y(of(point)).toFixed(1)}`);
  const line = (of) => `M${[`${x(since)},${y(0)}`, ...way(of), `${x(end)},${y(of(drawn.at(-1)))}`].join("L")}`;
  const area = (of) => `${line(of)}L${x(end)},${y(0)}Z`;
  const done = (point) => point.completed + point.failed;
  const last = drawn.at(-1);
  const words = `${count(done(last))} of ${plural(total, "line")} done after ${span(end - since)}, ${count(last.failed)} of them failed.`;
  const ticks = [0, 0.5, 1].map((part) => since + (end - since) * part);
  return h("figure", { class: "chart" },
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Progress: ${words}` },
      [0, 0.5, 1].map((part) => [
        s("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(top * part), y2: y(top * part) }),
        s("text", { x: LEFT - 8, y: y(top * part) + 4, "text-anchor": "end" }, compact(Math.round(top * part))),
      ]),
      s("path", { class: "area", d: area(done) }), s("path", { class: "line", d: line(done) }),
      last.failed ? [s("path", { class: "area bad", d: area((point) => point.failed) }), s("path", { class: "line bad", d: line((point) => point.failed) })] : null,
      ticks.map((at, index) => s("text", { x: x(at), y: HEIGHT - 6, "text-anchor": ["start", "middle", "end"][index] }, clock(at, end - since)))),
    h("figcaption", { class: "soft figures" }, words));
}

/** Draw one bar a day of money. */
export function dayChart(days) {
  const most = Math.max(...days.map((day) => day.usd ?? 0), 0.000001);
  const width = Math.min(40, (WIDTH - LEFT - RIGHT) / Math.max(1, days.length));
  const y = (usd) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - usd / most);
  const words = `${money(days.reduce((sum, day) => sum + (day.usd ?? 0), 0))} in ${plural(days.length, "day")}; the most on one day was ${money(most)}.`;
  return h("figure", { class: "chart" },
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words },
      [0, 0.5, 1].map((part) => [
        s("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(most * part), y2: y(most * part) }),
        s("text", { x: LEFT - 8, y: y(most * part) + 4, "text-anchor": "end" }, part ? money(Number((most * part).toPrecision(2))) : "$0"),
      ]),
      days.map((day, at) => s("rect", { class: "column", x: LEFT + at * width + width * 0.15, width: width * 0.7, y: y(day.usd ?? 0), height: HEIGHT - BOTTOM - y(day.usd ?? 0), rx: 2 })),
      days.length ? [s("text", { x: LEFT, y: HEIGHT - 6 }, days[0].day), days.length > 4 ? s("text", { x: LEFT + days.length * width, y: HEIGHT - 6, "text-anchor": "end" }, days.at(-1).day) : null] : null),
    h("figcaption", { class: "soft figures" }, words));
}
