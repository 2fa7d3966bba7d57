// Who is told when a batch ends: endpoints, what was delivered to them, and a test.

import { get, post, remove } from "../api.js";
import { h, show } from "../dom.js";
import { count, when } from "../format.js";
import { act, badge, empty, field, loading, once, problem, say, since, sure, table, title } from "../parts.js";

export async function open(main, { rest: [id], signal }) {
  const body = h("div", { class: "view" });
  main.append(body);
  show(body, loading());
  const load = async () => {
    try {
      if (id) return await one(body, id, signal, load);
      const [endpoints, types] = await Promise.all([get("webhook_endpoints?limit=100", { signal }), get("webhook_event_types", { signal })]);
      body.replaceChildren(); // the fields of the form below are new ones
      show(body, title("Webhooks"), h("p", { class: "lead" }, "A webhook endpoint of yours is called, with a signature, when a batch ends."),
        endpoints.data.length ? list(endpoints.data) : empty("No endpoints yet", "Add one below, and test it before a batch ends."), adding(types.data, load));
    } catch (error) {
      if (error.name !== "AbortError") show(body, title("Webhooks"), problem(error, load));
    }
  };
  await load();
}

const list = (endpoints) => table("Webhook endpoints", [["Name"], ["Address"], ["Events"], ["Created", "number"]], endpoints.map((each) => ({ key: each.id, cells: [
  h("a", { href: `#/webhooks/${each.id}` }, each.name), h("span", { class: "mono long" }, each.url), each.event_types.join(", "), when(each.created_at)] })));

function adding(types, load) {
  const called = h("input", { required: true, maxlength: 64, autocomplete: "off" });
  const url = h("input", { type: "url", required: true, placeholder: "https://", autocomplete: "off" });
  const chosen = types.map((type) => [type, h("input", { type: "checkbox", checked: true })]);
  const add = (event) => {
    event.preventDefault();
    act({ currentTarget: event.submitter ?? event.currentTarget.querySelector("button") }, async () => {
      const made = await post("webhook_endpoints", { name: called.value.trim(), url: url.value.trim(), event_types: chosen.filter(([, box]) => box.checked).map(([type]) => type) });
      await load();
      secret(made);
    });
  };
  return h("section", { class: "card", "data-key": "add" }, h("h2", null, "Add an endpoint"), h("form", { class: "stack", on: { submit: add } },
    field("Name", called), field("Address", url, "An https address that the internet reaches."),
    h("fieldset", null, h("legend", null, "Events"), chosen.map(([type, box]) => h("label", { class: "check" }, box, ` ${type}`))),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Add"))));
}

const secret = (made) => once("The signing secret", "It is shown only now. Keep it where your endpoint can read it, to check signatures.", made.signing_secret);

async function one(body, id, signal, load) {
  const [endpoint, deliveries] = await Promise.all([get(`webhook_endpoints/${id}`, { signal }), get(`webhook_endpoints/${id}/deliveries`, { signal })]);
  const test = async () => {
    const told = await post(`webhook_endpoints/${id}/test`, { event_type: endpoint.event_types[0] });
    say(`The endpoint answered with status ${told.status_code}.`);
  };
  const rotate = async () => {
    if (await sure("Make a new secret?", "The old secret stops at once: calls are signed with the new one.", "Make a new secret")) secret(await post(`webhook_endpoints/${id}/rotate_secret`, {}));
  };
  const drop = async () => {
    if (!(await sure("Delete this endpoint?", "It is called no more.", "Delete the endpoint"))) return;
    await remove(`webhook_endpoints/${id}`);
    location.hash = "/webhooks";
  };
  show(body, h("nav", { "aria-label": "Where you are", class: "crumbs" }, h("a", { href: "#/webhooks" }, "Webhooks"), h("span", { "aria-hidden": "true" }, "/")),
    title(endpoint.name,
      h("button", { type: "button", on: { click: (event) => act(event, test) } }, "Test"),
      h("button", { type: "button", on: { click: (event) => act(event, rotate) } }, "New secret"),
      h("button", { type: "button", class: "danger", on: { click: (event) => act(event, drop) } }, "Delete")),
    h("section", { class: "card" }, h("dl", { class: "pairs" }, [["Address", endpoint.url], ["Events", endpoint.event_types.join(", ")], ["Secret", endpoint.signing_secret_hint], ["Created", when(endpoint.created_at)]]
      .flatMap(([term, value]) => [h("dt", null, term), h("dd", { class: "mono long" }, value)]))),
    h("section", { class: "card" }, h("div", { class: "title" }, h("h2", null, "Deliveries"), h("div", { class: "actions" }, h("button", { type: "button", on: { click: (event) => act(event, load) } }, "Look again"))),
      deliveries.data.length ? table("Deliveries, newest first", [["Event"], ["Batch"], ["State"], ["Attempts", "number"], ["Last answer"], ["When", "number"]], deliveries.data.map((each) => ({ key: each.id, cells: [
        each.event_type, each.batch_id ? h("a", { class: "mono", href: `#/batches/${each.batch_id}` }, `${each.batch_id.slice(0, 14)}…`) : "–", badge(each.state), count(each.attempts),
        each.last_error ?? each.last_status_code ?? "–", since(each.delivered_at ?? each.last_attempt_at ?? each.created_at)] })))
        : empty("Nothing was delivered yet", "Deliveries of the last 30 days are listed here.")));
}
