// A file goes straight to the bucket, in parts side by side, and goes on where it stopped, also after the page was loaded anew.

import { ApiError, ConnectionLost, get, post } from "./api.js";

const KEPT = "batchyard-upload";
const PART = 8 * 1024 * 1024; // bytes
const MOST_PARTS = 1_000;
const SIDE_BY_SIDE = 4;
const TRIES = 6;
const RENEWALS = 3; // of addresses that are over
const SPARE = 120; // seconds that an address must still be good

const markOf = (file) => `${file.name}|${file.size}|${file.lastModified}`;

/** Return the upload that was begun in this tab and not finished; null if there is none. */
export function begun() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  return kept && { ...kept, sent: kept.parts.reduce((sum, part, at) => sum + (kept.done.includes(at) ? part.bytes : 0), 0) };
}

export const forget = () => sessionStorage.removeItem(KEPT);

/** Send a file and return its id; `told` is called with the bytes that have gone. */
export async function upload(file, told, signal) {
  const state = (await goesOn(file, signal)) ?? (await begin(file, signal));
  for (let turn = 1; ; turn += 1) {
    try {
      await sendAll(file, state, told, signal);
      await arrived(state.id, signal);
      forget();
      return state.id;
    } catch (error) {
      if (!(error instanceof Expired) || turn === RENEWALS) throw error;
      await renew(state, signal);
    }
  }
}

class Expired extends Error {
  constructor() {
    super("The bucket does not take the file: its address is over. Choose the file again.");
  }
}

/** Go on with the upload of this very file, if one was begun and its parts are still there. */
async function goesOn(file, signal) {
  const kept = begun();
  if (kept?.mark !== markOf(file)) return null;
  try {
    if (kept.until < Date.now() / 1000 + SPARE) await renew(kept, signal);
    return kept;
  } catch (error) {
    if (error.status !== 404 && error.status !== 409) throw error;
    return null; // deleted meanwhile, or too old
  }
}

/** Ask for new addresses of what has not come. */
async function renew(state, signal) {
  const { upload: again } = await post("uploads/presign", { file_id: state.id }, { signal });
  const urls = new Map(again.parts.map((part) => [part.number - 1, part.url]));
  state.parts = state.parts.map((part, at) => ({ ...part, url: urls.get(at) ?? part.url }));
  state.done = [...state.parts.keys()].filter((at) => !urls.has(at));
  [state.headers, state.until] = [again.headers, again.expires_at];
  keep(state);
}

async function begin(file, signal) {
  const parted = file.size > PART ? { part_bytes: Math.max(PART, Math.ceil(file.size / MOST_PARTS)) } : {};
  const made = await post("uploads/presign", { filename: file.name, purpose: "batch", bytes: file.size, ...parted }, { signal });
  const { parts, headers, expires_at: until } = made.upload;
  const state = { mark: markOf(file), name: file.name, size: file.size, id: made.id, parts, headers, until, done: [] };
  keep(state);
  return state;
}

function keep(state) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(state));
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error; // the addresses of a very large file: then a reload begins anew
  }
}

async function sendAll(file, state, told, signal) {
  const starts = [];
  state.parts.reduce((start, part) => (starts.push(start), start + part.bytes), 0);
  const gone = state.parts.map((part, at) => (state.done.includes(at) ? part.bytes : 0));
  const tell = (at, size) => {
    gone[at] = size;
    told(gone.reduce((sum, each) => sum + each, 0));
  };
  const waiting = [...state.parts.keys()].filter((at) => !state.done.includes(at));
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  tell(0, gone[0]);
  const worker = async () => {
    for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
      const part = state.parts[at];
      await sendPart(part.url, state.headers, file.slice(starts[at], starts[at] + part.bytes), (size) => tell(at, size), either);
      state.done.push(at);
      keep(state);
    }
  };
  try {
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  } finally {
    stop.abort();
  }
}

async function sendPart(url, headers, data, told, signal) {
  for (let turn = 1; ; turn += 1) {
    try {
      return await put(url, headers, data, told, signal);
    } catch (error) {
      if (!(error instanceof ConnectionLost) || turn === TRIES) throw error;
      await new Promise((done) => setTimeout(done, 500 * 2 ** turn));
      signal.throwIfAborted();
    }
  }
}

function put(url, headers, data, told, signal) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest(); // which tells how far it is
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => told(loaded);
    request.onload = () => {
      if (request.status < 300 || request.status === 412) done(told(data.size)); // 412: it is there already, its answer was lost
      else if (request.status === 403) failed(new Expired());
      else if (request.status >= 500 || request.status === 429) failed(new ConnectionLost());
      else failed(new ApiError(request.status, { message: `The bucket refused the file with status ${request.status}. Choose the file again.` }));
    };
    request.onerror = () => failed(new ConnectionLost());
    signal.addEventListener("abort", () => {
      request.abort();
      failed(signal.reason);
    });
    request.send(data);
  });
}

async function arrived(id, signal) {
  const file = await get(`files/${id}`, { signal });
  if (file.status !== "processed") throw new ApiError(400, { message: "Not all bytes have arrived. Choose the file again." });
}

/** Read the endpoint that the first line of a file is for; null where it cannot be read. */
export async function endpointOf(file) {
  try {
    const text = file.name.endsWith(".gz") ? await unpackedStart(file) : await file.slice(0, 256 * 1024).text();
    return JSON.parse(text.replace(/^\uFEFF/, "").split("\n").find((line) => line.trim()) ?? "").url ?? null;
  } catch {
    return null; // the check of the batch names what is wrong with the line
  }
}

async function unpackedStart(file) {
  const reader = file.stream().pipeThrough(new DecompressionStream("gzip")).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n") && text.length < 1_000_000) {
    const { done, value } = await reader.read();
    if (done) break;
    text += value;
  }
  reader.cancel().catch(() => {}); // what follows is not wanted
  return text;
}
