// The parts of the page that can be tried without a browser; run by test_page.py with `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";

const at = (name) => new URL(`../../nautilus/dashboard/${name}`, import.meta.url).href;
const { age, decimalsOf, direction, duration, number, percent, price, size, time } = await import(at("format.js"));
const { range, ticks } = await import(at("chart.js"));
const { throttled } = await import(at("api.js"));
const { Stream } = await import(at("stream.js"));
const { alertOf } = await import(at("views.js"));

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
