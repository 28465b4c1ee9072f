// Shows the server's own reports (JSON in the file named by REPORTS) on a page without a browser: every field that the
// System part reads must be there. Run by test_reports.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const at = (name) => new URL(`../../nautilus/dashboard/${name}`, import.meta.url).href;
const views = await import(at("system_views.js"));
const { problemsOf } = await import(at("problems.js"));
const reports = JSON.parse(readFileSync(process.env.REPORTS, "utf8"));

class FakeElement {
  children = [];
  style = {};
  classList = { add() {}, remove() {} };
  textContent = "";
  append(...added) { this.children.push(...added); }
  replaceChildren(...added) { this.children = added; }
  insertRow() { return this.#grow(); }
  insertCell() { return this.#grow(); }
  createTHead() { return this.#grow(); }
  createTBody() { return this.#grow(); }
  insertBefore(added) { this.children.push(added); }
  get firstElementChild() { return this.children[0] ?? null; }
  get lastElementChild() { return this.children.at(-1) ?? null; }
  get text() { return [this.textContent, ...this.children.map((child) => child.text)].filter(Boolean).join(" "); }
  querySelector() { return null; }
  setAttribute() {}
  addEventListener() {}
  #grow() {
    const made = new FakeElement();
    this.children.push(made);
    return made;
  }
}

const page = new Map();
const element = (id) => page.get(id) ?? page.set(id, new FakeElement()).get(id);
globalThis.Node = FakeElement;
globalThis.location = { protocol: "http:" };
globalThis.document = { getElementById: element, createElement: () => new FakeElement() };
const tables = views.makeSystemTables({ now: () => reports.clock.timestamp_ns, cancel: () => true });

/** The value, which throws where a field is read that it does not have; its dictionaries may have any key. */
function strict(value, path) {
  if (value === null || typeof value !== "object") return value;
  const isOpen = /\.(calls|fallbacks|dropped|failures|last_failure|accounts)$/.test(path);
  return new Proxy(value, {
    get(target, name) {
      if (typeof name === "symbol" || Array.isArray(target) && !(name in target)) return target[name];
      if (!isOpen && !(name in target)) throw new Error(`${path} has no field ${name}`);
      const found = target[name];
      return typeof found === "function" ? found : strict(found, `${path}.${name}`);
    },
  });
}

test("a cluster's report has all that is shown of it", () => {
  const report = strict(reports.cluster, "cluster");
  views.showCluster(report);
  tables.leases.show(report.ownership.leases);
  tables.edges.show(strict(reports.cluster.edges.channels.map((edge) => ({ ...edge, running: true })), "channels"));
  tables.peers.show(report.presence.peers);
  assert.match(element("cluster-verdict").text, /may not trade the lease is lost/);
  assert.match(element("leases").text, /main no other-1 7 –/);
  assert.match(element("edges").text, /marketdata cannot send 5 3 2\.0 KiB 1 4 9 – – 0 2 1\.5 ms 2 redis:\/\/x:1\/0 slow/);
  assert.match(element("peers").text, /other-1 60 s main \(7\) live 127\.0\.0\.1:8001 0\.1 marketdata/);
  assert.deepEqual(problemsOf(report, { problems: [] }).map((line) => line.tone), ["bad", "bad"]);
});

test("the clock's report and the hours of a market have all that is shown of them", () => {
  views.showClock(strict(reports.clock, "clock"));
  assert.match(element("clock-facts").text, /Clock was set 0 times/);
  views.showClock(strict(reports.test_clock, "clock"));
  assert.match(element("clock-verdict").text, /test clock/);
  assert.match(element("clock-facts").text, /Clock was set –/);
  tables.hours.show([{ name: "CRYPTO", title: "Crypto", hours: strict(reports.hours, "hours"), wrong: null }]);
  assert.match(element("hours").text, /Crypto open .* goes on –/);
});

test("the report on acceleration has all that is shown of it", () => {
  const report = strict(reports.accel, "accel");
  views.showAccel(report);
  tables.devices.show(report.devices);
  tables.calls.show(views.callRows(report.choices));
  assert.match(element("accel-verdict").text, /not calibrated .* run nautilus accel calibrate/);
  assert.match(element("devices").text, /numpy cpu available/);
});

test("a running job has its progress and a button, an ended one neither", () => {
  tables.jobs.show(strict(reports.jobs, "jobs"));
  assert.match(element("jobs").text, /backtest-1 running 25% .* day 3 Cancel/);
  assert.match(element("jobs").text, /backtest-2 failed 50% 1 s no data$/);
});
