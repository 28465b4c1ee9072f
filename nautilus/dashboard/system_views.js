// The tables of the System part: what each column shows, and the words over them.

import { age, bytes, DASH, duration, number, percent, size, time } from "./format.js";
import { isStandingBy } from "./problems.js";
import { Table } from "./table.js";

const COMMAND = "nautilus accel calibrate";
const JOB_TONE = { running: "", succeeded: "up", failed: "down", cancelled: "muted", interrupted: "warn" };
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const ADDRESS = /^[\w.:[\]-]+:\d+$/;

const $ = (id) => document.getElementById(id);
const cell = (title, value, kind = "", more = {}) => ({ title, value, kind, ...more });
const count = (title, value, tone) => cell(title, (row) => size(value(row)), "number", tone ? { tone: (row) => (value(row) ? tone : "") } : {});
const total = (counts) => Object.values(counts).reduce((sum, one) => sum + one, 0);

/** Every table of the part by name. `now()` is the node's time in ns or null, `cancel(id)` cancels a job and says whether it did. */
export function makeSystemTables({ now, cancel }) {
  return {
    leases: new Table($("leases"), leaseColumns(), (row) => row.name),
    edges: new Table($("edges"), edgeColumns(), (row) => row.channel, { empty: "No channel crosses." }),
    peers: new Table($("peers"), peerColumns(now), (row) => row.instance, { empty: "Nobody else is there." }),
    hours: new Table($("hours"), hourColumns(now), (row) => row.name),
    devices: new Table($("devices"), deviceColumns(), (row) => row.backend),
    calls: new Table($("calls"), callColumns(), (row) => row.name, { empty: "No call has been routed since the start." }),
    jobs: new Table($("jobs"), jobColumns(now, cancel), (row) => row.id, { empty: "No jobs." }),
  };
}

// -- the cluster -----------------------------------------------------------------------------------------------------

function leaseColumns() {
  return [
    cell("Account", (row) => row.name.replace(/^account:/, "")),
    cell("Held here", (row) => (row.held ? "yes" : "no"), "", { tone: (row) => (row.held ? "up" : "warn") }),
    cell("Holder", (row) => row.holder || DASH),
    cell("Token", (row) => (row.held ? row.token : row.holder_token) || DASH, "number"),
    cell("Left", (row) => (row.held ? `${number(row.seconds_left, 1)} s` : DASH), "number"),
    count("Taken over", (row) => row.takeovers),
    count("Lost", (row) => row.losses, "warn"),
    cell("Problem", (row) => row.problem, "text", { tone: () => "warn" }),
  ];
}

function edgeColumns() {
  const failures = (row) => (row.outbound?.failures ?? 0) + (row.inbound?.failures ?? 0);
  return [
    cell("Channel", (row) => row.channel.replace("_", " ")),
    cell("State", (row) => edgeState(row).text, "", { tone: (row) => edgeState(row).tone }),
    count("Sent", (row) => row.outbound?.sent),
    count("Queued", (row) => row.outbound?.queued, "warn"),
    cell("On disk", (row) => bytes(row.outbound?.queued_bytes), "number"),
    count("Conflated", (row) => row.outbound?.conflated),
    count("Dropped", (row) => (row.outbound ? total(row.outbound.dropped) : null), "down"),
    count("Received", (row) => row.inbound?.received),
    count("Unread", (row) => row.inbound?.lag_entries),
    count("Pending", (row) => row.inbound?.pending_entries),
    count("Trimmed", (row) => row.inbound?.trimmed, "down"),
    count("Dead letters", (row) => row.inbound?.dead_letters, "down"),
    cell("Latency", (row) => duration(row.inbound?.last_latency_ns), "number"),
    count("Failures", failures, "warn"),
    cell("Server", (row) => row.url),
    cell("Problems", (row) => row.problems.map((text) => edgeProblem(row, text)).join("; "), "text", { tone: () => "warn" }),
  ];
}

/** How a channel's edge stands; `running` is whether the node lets messages cross at all. */
export function edgeState({ running, connected, outbound, inbound }) {
  if (!running) return { text: "not started", tone: "muted" };
  if (connected) return { text: "connected", tone: "up" };
  if (outbound?.connected) return { text: "cannot read", tone: "down" };
  return { text: inbound?.connected ? "cannot send" : "not connected", tone: "down" };
}

/** A problem without the channel and the address, which stand in the same row. */
const edgeProblem = (row, text) => text.replace(`${row.channel}: `, "").replaceAll(row.url, "the server");

function peerColumns(now) {
  const links = new Map();
  const link = (row) => {
    if (!ADDRESS.test(row.http)) return row.http || DASH;
    if (!links.has(row.http)) {
      const made = document.createElement("a");
      made.href = `${location.protocol}//${row.http}/`;
      made.textContent = row.http;
      links.set(row.http, [made]);
    }
    return links.get(row.http)[0];
  };
  const accounts = (row) => Object.entries(row.accounts).map(([account, token]) => `${account} (${token})`);
  return [
    cell("Instance", (row) => row.instance),
    cell("Up for", (row) => (row.started_ns && now() ? age(Math.max(0, now() - row.started_ns) / 1e9) : DASH), "number"),
    cell("Accounts (token)", (row) => accounts(row).join(", ") || DASH),
    cell("Market data", (row) => row.market || DASH),
    cell("Page", link),
    cell("Version", (row) => row.version),
    cell("Engines", (row) => [...row.engines, ...(row.leaving ? ["(leaving)"] : [])].join(", "), "text"),
  ];
}

/** The cluster's report without its tables. */
export function showCluster(report) {
  const { ownership, presence, retained } = report;
  if (!ownership) showVerdict($("cluster-verdict"), "muted", "no account", "This node leases no account.");
  else if (ownership.trading) showVerdict($("cluster-verdict"), "good", "may trade", "Every lease is held here.");
  else showVerdict($("cluster-verdict"), isStandingBy(report) ? "warn" : "bad", isStandingBy(report) ? "standing by" : "may not trade", ownership.reason);
  showFacts($("cluster-facts"), [
    ["This instance", report.instance],
    ["Cache server answered", presence?.seconds_since_answer === null || !presence ? DASH : `${age(presence.seconds_since_answer)} ago`],
    ["Other processes", size(presence?.peers.length)],
    ["Retained topics", size(retained?.topics)],
    ["Retained, waiting", size(retained?.waiting), retained?.waiting ? "warn" : ""],
    ["Retained, refused", size(retained?.refused), retained?.refused ? "down" : ""],
    ["Undecodable", retained && presence ? size(retained.undecodable + presence.undecodable) : DASH],
  ]);
}

// -- the clock -------------------------------------------------------------------------------------------------------

function hourColumns(now) {
  return [
    cell("Market", (row) => row.title),
    cell("State", (row) => marketState(row).text, "", { tone: (row) => marketState(row).tone }),
    cell("Next open", (row) => moment(row.hours?.next_open_ns, now()), "number"),
    cell("Next close", (row) => (goesOn(row.hours) ? "goes on" : moment(row.hours?.next_close_ns, now())), "number"),
    cell("Changes in", (row) => (row.hours && now() ? changesIn(row.hours, now()) : DASH), "number"),
  ];
}

/** Open, closed or in its break; what kept the hours from being read; a dash before they are. */
export function marketState({ hours, wrong }) {
  if (!hours) return wrong ? { text: wrong, tone: "warn" } : { text: DASH, tone: "muted" };
  if (hours.is_open) return { text: "open", tone: "up" };
  return hours.session ? { text: "break", tone: "warn" } : { text: "closed", tone: "muted" };
}

/** When the state of a market may be another: the next of its opens, closes and breaks; null where none is known. */
export function nextChange(hours) {
  const known = [hours.next_open_ns, hours.next_close_ns, hours.next_trading_ns, hours.session?.break_start_ns];
  const later = known.filter((ns) => ns !== null && ns !== undefined && ns > hours.at_ns);
  return later.length ? Math.min(...later) : null;
}

/** Whether the next session begins when this one ends. */
const goesOn = (hours) => Boolean(hours?.is_open && hours.next_close_ns !== null && hours.next_close_ns === hours.next_open_ns);

/** In how long a market opens or closes. */
function changesIn(hours, nowNs) {
  const change = goesOn(hours) ? null : nextChange(hours);
  return change === null ? DASH : age(Math.max(0, change - nowNs) / 1e9);
}

/** A moment to come (UTC) as hour:minute, with the weekday, or beyond a week the date, where it is not today. */
export function moment(ns, nowNs) {
  if (!ns) return DASH;
  const text = time(ns, nowNs ?? 1).slice(0, -3);
  const isNear = nowNs && ns - nowNs < 6 * 86400e9;
  return isNear && text.length > 5 ? `${DAYS[new Date(ns / 1e6).getUTCDay()]} ${text.slice(6)}` : text;
}

/** The report of /clock. */
export function showClock(report) {
  const { discipline, loop_lag: lag } = report;
  const lagged = (seconds) => duration(seconds === null ? null : Math.round(seconds * 1e9));
  if (report.kind === "test") showVerdict($("clock-verdict"), "warn", "test clock", "Time moves only when a replay or a request moves it.");
  else showVerdict($("clock-verdict"), "good", "live", "The clock of the node's machine.");
  const last = discipline?.steps.at(-1);
  showFacts($("clock-facts"), [
    ["UTC", report.utc.slice(0, 19).replace("T", " ")],
    ["Loop lag, median", lagged(lag.p50)],
    ["Loop lag, p99", lagged(lag.p99), lag.p99 > 0.1 ? "warn" : ""],
    ["Loop lag, worst", lagged(lag.worst)],
    ["Clock was set", discipline ? `${size(discipline.steps_seen)} times` : DASH, discipline?.steps_seen ? "warn" : ""],
    ["Last step", last ? `${signed(last.size_ns / 1e6, 1)} ms at ${time(last.ts, report.timestamp_ns)}` : DASH],
    ["Drift", discipline && discipline.drift_ppm !== null ? `${signed(discipline.drift_ppm, 3)} ppm` : DASH],
    ["Moved since start", discipline ? `${signed(discipline.offset_change_ns / 1e6, 3)} ms` : DASH],
    ["Timers", size(report.timers)],
  ]);
}

/** A number with its sign; none where it rounds to zero. */
function signed(value, decimals) {
  const text = number(value, decimals);
  const shown = Number(text.replaceAll(",", ""));
  return shown === 0 ? text.replace("-", "") : `${shown > 0 ? "+" : ""}${text}`;
}

// -- acceleration ----------------------------------------------------------------------------------------------------

function deviceColumns() {
  return [
    cell("Backend", (row) => row.backend),
    cell("Runs on", (row) => row.kind),
    cell("State", (row) => (row.available ? "available" : "not available"), "", { tone: (row) => (row.available ? "up" : "muted") }),
    cell("Memory", (row) => bytes(row.memory_bytes || null), "number"),
    cell("64-bit", (row) => (row.available ? (row.float64 ? "yes" : "no") : DASH)),
    cell("Device", (row) => (row.description.includes(row.reason) ? row.description : `${row.description}: ${row.reason}`), "text"),
  ];
}

function callColumns() {
  const calls = (backend) => count({ numpy: "NumPy", numba: "Numba", mlx: "MLX" }[backend], (row) => row.calls[backend]);
  return [
    cell("Kernel", (row) => row.name),
    calls("numpy"),
    calls("numba"),
    calls("mlx"),
    count("Failed there, ran elsewhere", (row) => total(row.fallbacks), "warn"),
    cell("Last failure", (row) => row.failure, "text", { tone: () => "warn" }),
  ];
}

/** What ran where, a row for each kernel that ran; the busiest first. */
export function callRows({ calls, fallbacks, last_failure: failures }) {
  const names = [...new Set([...Object.keys(calls), ...Object.keys(fallbacks)])];
  const rows = names.map((name) => ({
    name,
    calls: calls[name] ?? {},
    fallbacks: fallbacks[name] ?? {},
    failure: Object.entries(failures).filter(([where]) => where.startsWith(`${name} on `)).map(([where, why]) => `${where.slice(name.length + " on ".length)}: ${why}`).join("; "),
  }));
  return rows.sort((a, b) => total(b.calls) - total(a.calls));
}

/** The report of /accel without its tables. */
export function showAccel(report) {
  const { calibration, compilation, memory } = report;
  const of = `${size(calibration.kernels)} kernels, measured ${calibration.measured}`;
  if (calibration.kernels && calibration.reason) showVerdict($("accel-verdict"), "warn", "calibrated in part", `${of}; ${calibration.reason}. Again: ${COMMAND}`);
  else if (calibration.kernels) showVerdict($("accel-verdict"), "good", "calibrated", `${of}. Again: ${COMMAND}`);
  else showVerdict($("accel-verdict"), "warn", "not calibrated", notCalibrated(calibration.reason));
  const failed = Object.entries(compilation.failures).map(([name, why]) => `${name}: ${why}`);
  showFacts($("accel-facts"), [
    ["Kernels compiled", `${size(compilation.done)} / ${size(compilation.total)}`],
    ["Compiled in", compilation.done ? age(compilation.seconds) : DASH],
    ["Kernels with a choice", size(report.routed.length)],
    ["Running now", size(report.running)],
    ["MLX memory, in use", bytes(memory?.active)],
    ["MLX memory, peak", bytes(memory?.peak)],
    ["MLX memory, cached", bytes(memory?.cached)],
    ["Cached at most", bytes(memory?.cache_limit || null)],
    ["Do not compile", failed.join("; ") || "none", failed.length ? "down" : ""],
  ]);
}

/** Why nothing is measured, and what to run. */
function notCalibrated(reason) {
  const why = reason.replace(/^not calibrated: run .*$/, "");
  return `${why ? `${why}. ` : ""}Each kernel runs on its default backend; to measure them, run ${COMMAND}`;
}

// -- jobs ------------------------------------------------------------------------------------------------------------

function jobColumns(now, cancel) {
  const live = new Map();
  const forget = (row) => row.status !== "running" && live.delete(row.id);
  const parts = (row) => {
    if (!live.has(row.id)) live.set(row.id, { button: makeCancel(row, cancel), progress: makeProgress() });
    return live.get(row.id);
  };
  const progress = (row) => {
    if (row.status !== "running") return percent(row.fraction, 0);
    const made = parts(row).progress;
    made.lastElementChild.textContent = percent(row.fraction, 0);
    made.firstElementChild.firstElementChild.style.width = `${Math.round(row.fraction * 100)}%`;
    return made;
  };
  const taken = (row) => ((row.ts_ended ?? now()) && row.ts_created ? age(Math.max(0, (row.ts_ended ?? now()) - row.ts_created) / 1e9) : DASH);
  return [
    cell("Started", (row) => time(row.ts_created, now()), "number"),
    cell("Job", (row) => row.id),
    cell("Status", (row) => row.status, "", { tone: (row) => JOB_TONE[row.status] ?? "" }),
    cell("Progress", progress, "number"),
    cell("Took", taken, "number"),
    cell("What", (row) => row.error ?? row.message, "text", { tone: (row) => (row.error ? "down" : "") }),
    cell("", (row) => (forget(row) || row.status !== "running" ? "" : parts(row).button)),
  ];
}

function makeCancel(row, cancel) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "small";
  made.textContent = "Cancel";
  made.setAttribute("aria-label", `Cancel job ${row.id}`);
  made.addEventListener("click", async () => {
    made.disabled = true; // the work stops when it next looks
    made.disabled = await cancel(row.id);
  });
  return made;
}

function makeProgress() {
  const made = document.createElement("span");
  const bar = document.createElement("i");
  made.className = "progress";
  bar.append(document.createElement("b"));
  made.append(bar, document.createElement("span"));
  return made;
}

// -- words over tables -----------------------------------------------------------------------------------------------

function showVerdict(element, tone, word, text) {
  if (element.children.length === 0) element.append(document.createElement("b"), document.createElement("span"));
  const [badge, words] = element.children;
  badge.className = tone;
  badge.textContent = word;
  words.textContent = text;
}

/** Facts [title, text, tone]. */
function showFacts(element, facts) {
  if (element.children.length !== facts.length) {
    element.replaceChildren(
      ...facts.map(() => {
        const fact = document.createElement("div");
        fact.append(document.createElement("dt"), document.createElement("dd"));
        return fact;
      }),
    );
  }
  facts.forEach(([title, text, tone = ""], index) => {
    const [name, value] = element.children[index].children;
    name.textContent = title;
    value.textContent = text;
    value.className = tone;
  });
}
