// The parts of the page that can be tried without a browser; run by test_page.py with `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";

const at = (name) => new URL(`../../nautilus/dashboard/${name}`, import.meta.url).href;
const { age, bytes, decimalsOf, direction, duration, number, percent, price, size, time } = await import(at("format.js"));
const { range, ticks } = await import(at("chart.js"));
const { throttled } = await import(at("api.js"));
const { Stream } = await import(at("stream.js"));
const { alertOf } = await import(at("views.js"));
const { Poller } = await import(at("poller.js"));
const { brokenChannels, isStandingBy, problemsOf, shortened } = await import(at("problems.js"));
const { callRows, edgeState, marketState, moment, nextChange } = await import(at("system_views.js"));

test("what is not known is a dash, never a zero", () => {
  for (const unknown of [null, undefined, "", "abc", NaN, Infinity]) {
    assert.equal(number(unknown), "–");
    assert.equal(price(unknown, "0.01"), "–");
  }
  assert.equal(percent(null), "–");
  assert.equal(size(undefined), "–");
  assert.equal(time(null), "–");
  assert.equal(age(null), "–");
  assert.equal(duration(null), "–");
  assert.equal(bytes(null), "–");
  assert.equal(age(NaN), "–");
  assert.equal(moment(null, 1), "–");
});

test("numbers read as people write them", () => {
  assert.equal(number("1234567.891"), "1,234,567.89");
  assert.equal(number(-0.5, 1), "-0.5");
  assert.equal(price(587.88, "0.01"), "587.88");
  assert.equal(price(1.08505, "0.00005"), "1.08505");
  assert.equal(size(1.5), "1.5");
  assert.equal(percent(0.1234), "12.3%");
  assert.equal(duration(32768), "32.8 µs");
  assert.equal(age(0.02), "0.02 s");
  assert.equal(age(600), "10 min");
  assert.equal(age(3 * 3600), "3 h");
  assert.equal(age(3 * 86400), "3 days");
  assert.deepEqual([0, 1023, 1024, 25276510208].map(bytes), ["0 B", "1,023 B", "1.0 KiB", "23.5 GiB"]);
});

test("the grid says how many decimals a price has", () => {
  assert.deepEqual(["0.01", "0.0100", "1", "5", "0.25", "1e-8"].map(decimalsOf), [2, 2, 0, 0, 2, 8]);
});

test("times are UTC, with the date when it is another", () => {
  const noon = Date.UTC(2024, 0, 2, 12, 0, 1) * 1e6;
  assert.equal(time(noon), "12:00:01");
  assert.equal(time(noon, noon + 86400e9), "01-02 12:00:01");
});

test("gains are up, losses down, and nothing is neither", () => {
  assert.deepEqual(["1", -2, 0, null, "x"].map(direction), ["up", "down", "", "", ""]);
});

test("the marks of an axis are round and within it", () => {
  assert.deepEqual(ticks(0, 10), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(ticks(5, 5), [5]);
  for (const [low, high] of [[182.31, 182.58], [0.001, 0.002], [1e6, 3e6]]) {
    const found = ticks(low, high);
    assert.ok(found.length >= 2 && found.length <= 8);
    assert.ok(found[0] >= low - 1e-9 && found.at(-1) <= high * (1 + 1e-9));
  }
});

test("a range is never empty, and none without values", () => {
  assert.equal(range([null, undefined]), null);
  const [low, high] = range([5, 5, null]);
  assert.ok(low < 5 && high > 5);
});

test("a throttled action runs at once, and once more for all that came meanwhile", async () => {
  let runs = 0;
  const soon = throttled(() => { runs += 1; }, 20);
  for (let count = 0; count < 10; count += 1) soon();
  assert.equal(runs, 1);
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(runs, 2);
});

test("alerts of every kind have words; other messages have none", () => {
  const toxicity = alertOf("toxicity", { instrument_id: "A.X", active: true, level: "high", vpin: 0.5 });
  assert.deepEqual(toxicity, { source: "A.X", severity: "warning", text: "toxicity rose to high, VPIN 0.500" });
  assert.equal(alertOf("control", { scope: "global", state: "halted", kill_switch: true, reason: "r", actor: "a" }).severity, "emergency");
  assert.equal(alertOf("risk_alert", { scope: "s", severity: "critical", kind: "k", message: "m" }).text, "k: m");
  assert.equal(alertOf("quote", {}), null);
});

class FakeSocket {
  static OPEN = 1;
  static made = [];

  constructor(url) {
    Object.assign(this, { url, readyState: 1, sent: [], listeners: {} });
    FakeSocket.made.push(this);
  }

  addEventListener(name, listener) { this.listeners[name] = listener; }
  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.readyState = 3; this.listeners.close?.(); }
  frame(frame) { this.listeners.message({ data: JSON.stringify(frame) }); }
}

const WELCOME = { type: "welcome", session: "one", sequence: 10, heartbeat_seconds: 60 };

function started() {
  globalThis.WebSocket = FakeSocket;
  FakeSocket.made = [];
  const seen = { messages: [], states: [], gaps: [], frames: [] };
  const stream = new Stream("ws://here/", {
    message: (item) => seen.messages.push(item),
    state: (state) => seen.states.push(state),
    gap: (frame) => seen.gaps.push(frame),
    frame: (frame) => seen.frames.push(frame),
  });
  return { stream, seen };
}

test("the stream subscribes when welcomed, and asks for the past where it was told to", () => {
  const { stream, seen } = started();
  stream.subscribe(["quote.>"]);
  stream.subscribeWithPast(["risk_alert.>"]);
  stream.open();
  const [socket] = FakeSocket.made;
  assert.deepEqual(socket.sent, []);
  socket.frame(WELCOME);
  assert.deepEqual(socket.sent, [
    { op: "subscribe", topics: ["quote.>"] },
    { op: "subscribe", topics: ["risk_alert.>"], after: 0, session: "one" },
  ]);
  stream.subscribe(["quote.>", "depth.A.X"]);
  stream.unsubscribe(["depth.A.X", "never.>"]);
  assert.deepEqual(socket.sent.slice(2), [
    { op: "subscribe", topics: ["depth.A.X"] },
    { op: "unsubscribe", topics: ["depth.A.X"] },
  ]);
  socket.frame({ type: "data", messages: [{ topic: "quote.A.X", kind: "update", sequence: 12 }] });
  socket.frame({ type: "gap", reason: "slow" });
  assert.equal(seen.messages.length, 1);
  assert.equal(seen.gaps.length, 1);
  assert.deepEqual(seen.states, ["live"]);
  clearTimeout(stream.silence);
});

test("after a break the stream resumes from the last message it had", async () => {
  const { stream, seen } = started();
  stream.subscribe(["fill.>"]);
  stream.open();
  FakeSocket.made[0].frame(WELCOME);
  FakeSocket.made[0].frame({ type: "data", messages: [{ topic: "fill.s", kind: "update", sequence: 17 }] });
  FakeSocket.made[0].close();
  assert.deepEqual(seen.states, ["live", "lost"]);
  await new Promise((resolve) => setTimeout(resolve, 450));
  assert.equal(FakeSocket.made.length, 2);
  FakeSocket.made[1].frame({ ...WELCOME, session: "two", sequence: 3 });
  assert.deepEqual(FakeSocket.made[1].sent, [{ op: "subscribe", topics: ["fill.>"], after: 17, session: "one" }]);
  assert.equal(stream.session, "two");
  clearTimeout(stream.silence);
});

// -- the System part -------------------------------------------------------------------------------------------------

function polled() {
  const asked = [];
  const clock = { now: 0, hidden: false };
  const poller = new Poller({ isHidden: () => clock.hidden, now: () => clock.now });
  const reading = (name, seconds, answer = () => undefined) => poller.add(name, seconds, async () => { asked.push(name); return answer(); });
  return { asked, clock, poller, reading };
}

test("the poller reads what has been due for longest, one at a time, and nothing while nobody looks", async () => {
  const { asked, clock, poller, reading } = polled();
  reading("a", 5);
  reading("b", 20);
  await poller.step();
  clock.now = 1;
  await poller.step();
  assert.deepEqual(asked, ["a", "b"]);
  clock.now = 4;
  await poller.step();
  assert.equal(asked.length, 2);
  clock.now = 100;
  clock.hidden = true;
  await poller.step();
  assert.equal(asked.length, 2);
  clock.hidden = false;
  await Promise.all([poller.step(), poller.step()]);
  assert.deepEqual(asked, ["a", "b", "a"]);
  poller.soon("a");
  await poller.step();
  await poller.step();
  assert.deepEqual(asked, ["a", "b", "a", "a", "b"]);
});

test("a reading says itself when it is wanted next, and one that fails is left alone longer and longer", async () => {
  const { asked, clock, poller, reading } = polled();
  let isAway = true;
  reading("flaky", 5, () => { if (isAway) throw new Error("away"); });
  const dues = [];
  for (let count = 0; count < 6; count += 1) {
    await poller.step();
    dues.push(poller.readings.get("flaky").due - clock.now);
    clock.now += dues.at(-1);
  }
  assert.deepEqual(dues, [10, 20, 40, 60, 60, 60]);
  isAway = false;
  await poller.step();
  assert.equal(poller.readings.get("flaky").due - clock.now, 5);
  reading("once", 5, () => Infinity);
  await poller.step();
  clock.now += 4;
  await poller.step();
  assert.deepEqual(asked.slice(-2), ["flaky", "once"]);
});

test("a reading that is wanted again while it runs is read again", async () => {
  const { asked, poller, reading } = polled();
  reading("jobs", 60, () => poller.soon("jobs"));
  await poller.step();
  await poller.step();
  assert.equal(asked.length, 2);
});

const channel = (name, more = {}) => ({ channel: name, url: "redis://x/0", connected: true, outbound: null, inbound: null, problems: [], ...more });
const clustered = (more = {}) => ({ instance: "a-1", presence: null, ownership: null, retained: null, edges: { running: true, channels: [channel("marketdata")] }, problems: [], ...more });
const notOwner = { trading: false, reason: "the lease of account main is not held", leases: [] };

test("a node that is well has no problems, with and without a cluster", () => {
  assert.deepEqual(problemsOf(null, null), []);
  assert.deepEqual(problemsOf(null, { problems: [] }), []);
  assert.deepEqual(problemsOf(clustered({ ownership: { trading: true, reason: "", leases: [] } }), { problems: [] }), []);
});

test("who lost its lease may not trade, and is told first; who waits for it stands by", () => {
  const lost = clustered({ ownership: notOwner, problems: [notOwner.reason, "lease account:main: no answer"] });
  assert.deepEqual(problemsOf(lost, { problems: [notOwner.reason] }), [
    { tone: "bad", text: "This node may not trade: the lease of account main is not held" },
    { tone: "warn", text: "lease account:main: no answer" },
  ]);
  const waiting = clustered({ ownership: notOwner, edges: { running: false, channels: [channel("marketdata", { connected: false })] } });
  assert.ok(isStandingBy(waiting) && !isStandingBy(lost) && !isStandingBy(null));
  assert.deepEqual(brokenChannels(waiting), []);
  assert.deepEqual(problemsOf(waiting, { detail: "standing by" }), [
    { tone: "warn", text: "Standing by, not trading: the lease of account main is not held" },
  ]);
});

test("edges that are not connected take one line, however much they have to say", () => {
  const away = ["marketdata", "engine_logic"].map((name) => channel(name, { connected: false, problems: [`${name}: nothing can be read`] }));
  const cluster = clustered({ edges: { running: true, channels: away }, problems: away.flatMap((edge) => edge.problems) });
  assert.deepEqual(problemsOf(cluster, { problems: [] }), [
    { tone: "bad", text: "Not connected to other processes: marketdata, engine_logic" },
  ]);
});

test("what both reports say is said once, although they counted at different times", () => {
  const cluster = clustered({ problems: ["marketdata: 12 messages went to the dead letters"] });
  const readiness = { problems: ["marketdata: 13 messages went to the dead letters", "the disk is full"] };
  assert.deepEqual(problemsOf(cluster, readiness).map((line) => line.text), [
    "marketdata: 12 messages went to the dead letters",
    "the disk is full",
  ]);
  assert.deepEqual(problemsOf(null, { detail: "starting: 3 of 17 kernels compiled" }), [
    { tone: "bad", text: "Not ready: starting: 3 of 17 kernels compiled" },
  ]);
});

test("the banner has few lines, and says how many there are beside them", () => {
  const lines = Array.from({ length: 7 }, (_, index) => ({ tone: "warn", text: String(index) }));
  assert.equal(shortened(lines.slice(0, 5)).length, 5);
  assert.deepEqual(shortened(lines).map((line) => line.text), ["0", "1", "2", "3", "and 3 more, see System below"]);
});

test("an edge says which of its ways is broken", () => {
  const way = (connected) => ({ connected });
  const states = [
    edgeState({ running: false, connected: false }),
    edgeState({ running: true, connected: true, outbound: way(true), inbound: way(true) }),
    edgeState({ running: true, connected: false, outbound: way(true), inbound: way(false) }),
    edgeState({ running: true, connected: false, outbound: way(false), inbound: way(true) }),
    edgeState({ running: true, connected: false, outbound: way(false), inbound: null }),
  ];
  assert.deepEqual(states.map((state) => state.text), ["not started", "connected", "cannot read", "cannot send", "not connected"]);
});

test("a market is open, closed, in its break or not known, and says when that may change", () => {
  const hours = { at_ns: 10, is_open: false, session: null, next_open_ns: 20, next_close_ns: 30, next_trading_ns: 20 };
  assert.equal(marketState({ hours }).text, "closed");
  assert.equal(marketState({ hours: { ...hours, is_open: true, session: {} } }).text, "open");
  assert.equal(marketState({ hours: { ...hours, session: {} } }).text, "break");
  assert.equal(marketState({ hours: null, wrong: null }).text, "–");
  assert.equal(marketState({ hours: null, wrong: "no calendar" }).text, "no calendar");
  assert.equal(nextChange(hours), 20);
  assert.equal(nextChange({ ...hours, is_open: true, session: { break_start_ns: 15 }, next_trading_ns: 10 }), 15);
  assert.equal(nextChange({ at_ns: 10, is_open: false, session: null, next_open_ns: null, next_close_ns: null, next_trading_ns: null }), null);
});

test("a moment to come has its weekday, and beyond a week its date", () => {
  const now = Date.UTC(2026, 10, 22, 12) * 1e6; // a Sunday
  assert.equal(moment(now + 3600e9, now), "13:00");
  assert.equal(moment(now + 86400e9, now), "Mon 12:00");
  assert.equal(moment(now + 8 * 86400e9, now), "11-30 12:00");
  assert.equal(moment(now, null), "11-22 12:00");
});

test("calls are told by kernel and backend, the busiest first, with what failed where", () => {
  const rows = callRows({
    calls: { "a.small": { numpy: 2 }, "a.big": { numba: 5, mlx: 4 } },
    fallbacks: { "a.big": { mlx: 1 } },
    last_failure: { "a.big on mlx": "MemoryError: no", "a.bigger on mlx": "another" },
  });
  assert.deepEqual(rows, [
    { name: "a.big", calls: { numba: 5, mlx: 4 }, fallbacks: { mlx: 1 }, failure: "mlx: MemoryError: no" },
    { name: "a.small", calls: { numpy: 2 }, fallbacks: {}, failure: "" },
  ]);
});
