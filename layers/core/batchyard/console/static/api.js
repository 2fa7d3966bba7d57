// The HTTP API, with the key that the person gave. The key is in sessionStorage alone, and goes with the tab.

const KEY = "batchyard-key";
const ROOT = new URL("v1/", document.baseURI);
const MOST_KNOWN = 60;
const LARGEST_KNOWN = 200_000; // characters of an answer: pages of lines are larger, and never change
const known = new Map(); // by path: the ETag and the value of the last answer

export class ApiError extends Error {
  constructor(status, error) {
    super(error?.message ?? `The API answered with status ${status}.`);
    this.status = status;
    this.code = error?.code ?? null;
    this.param = error?.param ?? null;
  }
}

/** The request did not reach the API, or its answer did not reach us. */
export class ConnectionLost extends Error {
  constructor() {
    super("The connection is lost.");
  }
}

export const session = {
  get key() {
    return sessionStorage.getItem(KEY);
  },
  begin(key) {
    known.clear();
    sessionStorage.setItem(KEY, key);
  },
  end() {
    known.clear();
    sessionStorage.removeItem(KEY);
  },
};

/** Call the API and return what it answers; an answer that has not changed is the very same object as before. */
export async function call(method, path, body, { signal, key = session.key, headers = {} } = {}) {
  const before = method === "GET" ? known.get(path) : undefined;
  const sent = { Authorization: `Bearer ${key}`, ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  if (before) sent["If-None-Match"] = before.etag;
  const answer = await reach(new URL(path, ROOT), {
    method, signal, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
  });
  if (answer.status === 304 && before) return before.value;
  const [value, size] = await read(answer);
  if (!answer.ok) {
    if (answer.status === 401 && key === session.key) dispatchEvent(new Event("signed-out"));
    throw new ApiError(answer.status, value?.error);
  }
  if (method === "GET" && size <= LARGEST_KNOWN && answer.headers.get("ETag")) remember(path, { etag: answer.headers.get("ETag"), value });
  return value;
}

async function reach(url, request) {
  try {
    return await fetch(url, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ConnectionLost();
  }
}

async function read(answer) {
  try {
    const text = await answer.text();
    return [JSON.parse(text), text.length];
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (answer.ok) throw new ConnectionLost();
    return [null, 0];
  }
}

function remember(path, answer) {
  known.delete(path);
  known.set(path, answer);
  if (known.size > MOST_KNOWN) known.delete(known.keys().next().value);
}

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body, options) => call("POST", path, body, options);
export const remove = (path, options) => call("DELETE", path, undefined, options);

/** Return a path with a query; members that are empty are left out. */
export function query(path, members) {
  const given = Object.entries(members).filter(([, value]) => value != null && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}
