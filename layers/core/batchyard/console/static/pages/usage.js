// What was used and paid, by day, by model and by provider.

import { get, query } from "../api.js";
import { dayChart } from "../chart.js";
import { h, show } from "../dom.js";
import { compact, count, paid } from "../format.js";
import { empty, field, loading, problem, table, title } from "../parts.js";

const day = (date) => date.toISOString().slice(0, 10);

export async function open(main, { search, signal }) {
  const now = new Date();
  const from = h("input", { type: "date", value: search.get("from") ?? day(new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1))) });
  const to = h("input", { type: "date", value: search.get("to") ?? day(now) });
  const body = h("div", { class: "view" });
  const again = (event) => {
    event.preventDefault();
    location.hash = query("/usage", { from: from.value, to: to.value });
  };
  main.append(title("Usage"), h("form", { class: "bar-of-fields", on: { submit: again } }, field("From", from), field("To", to), h("button", { type: "submit" }, "Show")), body);
  show(body, loading());
  const load = async () => {
    try {
      const [days, models, providers] = await Promise.all(["day", "model", "provider"].map((by) => get(query("usage", { from: from.value, to: to.value, group_by: by }), { signal })));
      show(body, picture(days, models, providers));
    } catch (error) {
      if (error.name !== "AbortError") show(body, problem(error, load));
    }
  };
  await load();
}

function picture(days, models, providers) {
  const { total } = days;
  if (!total.batches) return empty("Nothing was used in these days", "A batch counts on the day on which it ended, in UTC.");
  const tile = (name, value) => h("div", { class: "tile" }, h("dt", null, name), h("dd", { class: "figures" }, value));
  return [
    h("section", { class: "card", "aria-label": "Sums" },
      h("dl", { class: "tiles" }, tile("Cost", paid(total.cost)), tile("Batches", count(total.batches)), tile("Lines", count(total.lines)),
        tile("Tokens in", compact(total.usage.input_tokens)), tile("Tokens out", compact(total.usage.output_tokens))),
      dayChart(days.data.map((each) => ({ day: each.day, usd: each.cost.usd })))),
    h("section", { class: "card" }, h("h2", null, "By model"), sums("Usage by model", "Model", models.data.map((each) => [each.model, each]))),
    providers.data.length > 1 ? h("section", { class: "card" }, h("h2", null, "By provider"), sums("Usage by provider", "Provider", providers.data.map((each) => [each.provider, each]))) : null,
    h("section", { class: "card" }, h("h2", null, "By day"), sums("Usage by day", "Day", days.data.map((each) => [each.day, each]).reverse())),
  ];
}

const sums = (caption, name, rows) => table(caption, [[name], ["Batches", "number"], ["Lines", "number"], ["Tokens in", "number"], ["Tokens out", "number"], ["Cost", "number"]],
  rows.map(([key, each]) => ({ key, cells: [key, count(each.batches), count(each.lines), count(each.usage.input_tokens), count(each.usage.output_tokens), paid(each.cost)] })));
