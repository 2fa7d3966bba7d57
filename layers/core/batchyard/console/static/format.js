// Numbers, sizes, money and times, as a person reads them.

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const dollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD" });
const cents = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 6 });
const dated = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
const datedThisYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false });
const hours = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

export const count = (number) => whole.format(number ?? 0);
export const compact = (number) => short.format(number ?? 0);
export function when(seconds) {
  if (seconds == null) return "–";
  const at = new Date(seconds * 1000);
  return (at.getFullYear() === new Date().getFullYear() ? datedThisYear : dated).format(at);
}
export const clock = (seconds, within) => (within > 72_000 ? datedThisYear : hours).format(seconds * 1000);
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export function money(usd) {
  if (usd == null) return "–";
  if (usd === 0) return "$0";
  return Math.abs(usd) < 0.01 ? cents.format(usd) : dollars.format(usd);
}

/** What was paid; where some tokens have no price, what is known and how many these are. */
export function paid(cost) {
  if (!cost?.unpriced_tokens) return money(cost?.usd);
  return `${money(cost.input_usd + cost.cached_usd + cost.output_usd)} + ${compact(cost.unpriced_tokens)} unpriced`;
}

export function bytes(size) {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let at = 0;
  while (size >= 1000 && at < units.length - 1) {
    size /= 1000;
    at += 1;
  }
  return `${at && size < 10 ? size.toFixed(1) : Math.round(size)} ${units[at]}`;
}

export function span(seconds) {
  const total = Math.max(0, Math.round(seconds));
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)} min`;
  if (total < 172_800) return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`;
  return `${Math.floor(total / 86_400)} days`;
}

export function ago(seconds, now = Date.now() / 1000) {
  const past = now - seconds;
  return past < 10 ? "just now" : `${span(past)} ago`;
}

/** Return the part of a whole in percent; what is not quite all is never shown as 100. */
export function percent(part, of) {
  if (!of) return 0;
  return part >= of ? 100 : Math.min(99, Math.floor((100 * part) / of));
}
