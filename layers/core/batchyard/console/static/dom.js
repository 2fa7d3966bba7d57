// Elements made of data: text always goes in as text, so nothing that a provider or a tenant wrote can become markup.

const SVG = "http://www.w3.org/2000/svg";
const KEPT = new Set(["value", "checked", "open", "style"]); // a person's own, or painted: a new picture of the page leaves it alone

function dispatch(event) {
  event.currentTarget.handlers?.[event.type]?.(event);
}

function listen(node, handlers) {
  for (const type of Object.keys(handlers)) {
    if (!node.listened?.has(type)) {
      (node.listened ??= new Set()).add(type);
      node.addEventListener(type, dispatch);
    }
  }
  node.handlers = handlers;
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === "on") listen(node, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, String(value));
  }
  node.append(...children.flat(9).filter((child) => child != null && child !== false));
  return node;
}

/** Make an element: h("a", {href: "#/new", on: {click}}, "New"). Children are nodes or text. */
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Make an element of a drawing. */
export function s(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Show these children in the place of what a node has; nodes that stay keep their focus, their place and what was typed. */
export function show(node, ...children) {
  const wanted = document.createDocumentFragment();
  wanted.append(...children.flat(9).filter((child) => child != null && child !== false));
  morphChildren(node, wanted);
}

function morphChildren(node, wanted) {
  const news = [...wanted.childNodes];
  const keyed = new Map([...node.children].filter((child) => child.dataset?.key).map((child) => [child.dataset.key, child]));
  let at = node.firstChild;
  for (const each of news) {
    const known = each.dataset?.key ? keyed.get(each.dataset.key) : undefined;
    if (known && known !== at) node.insertBefore(known, at);
    const old = known ?? (each.dataset?.key ? null : at);
    if (old && alike(old, each)) {
      at = old.nextSibling;
      morph(old, each);
    } else if (at && !each.dataset?.key && !at.dataset?.key) {
      const following = at.nextSibling;
      node.replaceChild(each, at);
      at = following;
    } else {
      node.insertBefore(each, at);
    }
  }
  while (at) {
    const following = at.nextSibling;
    at.remove();
    at = following;
  }
}

function alike(old, wanted) {
  return old.nodeType === wanted.nodeType && old.nodeName === wanted.nodeName && old.dataset?.key === wanted.dataset?.key;
}

function morph(old, wanted) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== wanted.data) old.data = wanted.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  for (const { name, value } of wanted.attributes) {
    if (!KEPT.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (wanted.handlers) listen(old, wanted.handlers);
  if (wanted.painted) (old.painted = wanted.painted)(old);
  if (!wanted.hasAttribute("data-own")) morphChildren(old, wanted);
}
