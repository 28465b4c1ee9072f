// Numbers and times as people read them. What is not known is a dash, never a zero.

export const DASH = "–";

/** A number with as many decimals as asked for; a dash for null, undefined and what is no number. */
export function number(value, decimals = 2) {
  if (value === null || value === undefined || value === "") return DASH;
  const parsed = Number(value);
  if (!Number.isFinite(parsed)) return DASH;
  return parsed.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** A price on the grid of its instrument. */
export function price(value, tickSize) {
  return number(value, tickSize ? decimalsOf(tickSize) : 2);
}

/** How many decimals a step such as "0.01" has. */
export function decimalsOf(step) {
  const text = String(step);
  const exponent = text.toLowerCase().split("e")[1];
  if (exponent !== undefined) return Math.max(0, -Number(exponent));
  return (text.split(".")[1] || "").replace(/0+$/, "").length;
}

/** A size: whole where it is whole, else up to four decimals. */
export function size(value) {
  if (value === null || value === undefined || !Number.isFinite(Number(value))) return DASH;
  return Number(value).toLocaleString("en-US", { maximumFractionDigits: 4 });
}

/** A share such as 0.123 as 12.3%. */
export function percent(value, decimals = 1) {
  const shown = value === null || value === undefined ? DASH : number(Number(value) * 100, decimals);
  return shown === DASH ? DASH : `${shown}%`;
}

/** A time in ns UTC as hh:mm:ss (UTC); with the date where it is not today's. */
export function time(ns, nowNs = null) {
  if (!ns) return DASH;
  const text = new Date(ns / 1e6).toISOString();
  const today = nowNs ? new Date(nowNs / 1e6).toISOString().slice(0, 10) : text.slice(0, 10);
  return text.slice(0, 10) === today ? text.slice(11, 19) : `${text.slice(5, 10)} ${text.slice(11, 19)}`;
}

/** "up" for gains, "down" for losses, nothing for zero and what is not known. */
export function direction(value) {
  const parsed = Number(value);
  return parsed > 0 ? "up" : parsed < 0 ? "down" : "";
}

/** A time span such as 0.25 s, 3 s, 4 min, 7 h, 3 days. */
export function age(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return DASH;
  if (seconds < 1) return `${seconds.toFixed(2)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  return seconds < 2 * 86400 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

/** Bytes as KiB, MiB, GiB. */
export function bytes(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = value < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${number(value / 1024 ** power, power ? 1 : 0)} ${units[power]}`;
}

/** Nanoseconds as ns, µs or ms. */
export function duration(ns) {
  if (ns === null || ns === undefined) return DASH;
  if (ns < 1e3) return `${ns} ns`;
  return ns < 1e6 ? `${(ns / 1e3).toFixed(1)} µs` : `${(ns / 1e6).toFixed(1)} ms`;
}
