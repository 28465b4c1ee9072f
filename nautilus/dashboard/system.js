// The System part: reads clock, acceleration, cluster and jobs in turn, and tells the banner what is wrong.

import { get, post } from "./api.js";
import { isStandingBy, problemsOf, shortened } from "./problems.js";
import { callRows, makeSystemTables, nextChange, showAccel, showClock, showCluster } from "./system_views.js";

const MARKETS = [
  ["XNYS", "New York"],
  ["CMES", "CME Globex"],
  ["XLON", "London"],
  ["XTKS", "Tokyo"],
  ["XHKG", "Hong Kong"],
  ["FX", "FX, 24/5"],
];
const SECONDS = { cluster: 5, health: 10, clock: 10, jobs: 5, jobsIdle: 20, accel: 30, hours: 60 };
const SHOWN_JOBS = 50;

const $ = (id) => document.getElementById(id);

/** `header` shows problems and the kind of clock, `failed(text)` is told when a command was not carried out. */
export class SystemPart {
  constructor({ poller, header, failed }) {
    this.poller = poller;
    this.header = header;
    this.failed = failed;
    this.cluster = null;
    this.readiness = null;
    this.clock = null;
    this.markets = MARKETS.map(([name, title]) => ({ name, title, hours: null, wrong: null }));
    this.tables = makeSystemTables({ now: () => this.#now(), cancel: (id) => this.#cancel(id) });
    poller.add("cluster", SECONDS.cluster, () => this.#readCluster());
    poller.add("health", SECONDS.health, () => this.#readHealth());
    poller.add("clock", SECONDS.clock, () => this.#read("clock", () => this.#readClock()));
    poller.add("jobs", SECONDS.jobs, () => this.#read("jobs", () => this.#readJobs()));
    poller.add("accel", SECONDS.accel, () => this.#read("accel", () => this.#readAccel()));
    this.tables.hours.show(this.markets);
    this.#readHoursOnceSeen();
  }

  /** The node may be another one than before: read everything again. */
  reload() {
    for (const name of ["cluster", "health", "clock", "jobs", "accel"]) this.poller.soon(name);
  }

  /** Whether the node waits for its accounts. */
  get isStandingBy() {
    return isStandingBy(this.cluster);
  }

  /** The node's time, ns, carried on since it was read; null before. */
  #now() {
    if (!this.clock) return null;
    return this.clock.ns + (this.clock.stands ? 0 : (performance.now() - this.clock.at) * 1e6);
  }

  /** Run a reading; what it cannot say stands in the panel's title, beside what was read last. */
  async #read(name, action) {
    const note = $(`${name}-note`);
    try {
      const wait = await action();
      note.textContent = "";
      return wait;
    } catch (error) {
      note.className = "note bad";
      note.textContent = `not up to date: ${error.message}`;
      throw error;
    }
  }

  /** A node without edges has no cluster and gets none while it runs. */
  async #readCluster() {
    if (!(await get("/health/live")).cluster) {
      this.#showCluster(null);
      return Infinity;
    }
    return await this.#read("cluster", async () => this.#showCluster(await get("/cluster")));
  }

  #showCluster(report) {
    this.cluster = report;
    $("cluster").hidden = report === null;
    this.#showProblems();
    this.header.setOwner(report?.ownership?.trading ?? true);
    if (report === null) return;
    showCluster(report);
    $("leases-part").hidden = !report.ownership;
    this.tables.leases.show(report.ownership?.leases ?? []);
    const running = Boolean(report.edges?.running);
    this.tables.edges.show((report.edges?.channels ?? []).map((edge) => ({ ...edge, running })));
    this.tables.peers.say(report.presence?.problems.length ? `Not known: ${report.presence.problems.join("; ")}.` : "");
    this.tables.peers.show(report.presence?.peers ?? []);
  }

  /** One that stands by is not ready, as the cluster's report says with the reason. */
  async #readHealth() {
    if (this.isStandingBy) {
      this.readiness = null;
      return;
    }
    try {
      this.readiness = await get("/health/ready");
    } catch (error) {
      if (error.status !== 503) throw error;
      this.readiness = { detail: error.message };
    } finally {
      this.#showProblems();
    }
  }

  #showProblems() {
    this.header.warn("node", shortened(problemsOf(this.cluster, this.readiness)));
  }

  async #readClock() {
    const report = await get("/clock");
    this.header.setClockKind(report.kind);
    this.clock = { ns: report.timestamp_ns, at: performance.now(), stands: report.kind === "test" };
    showClock(report);
    this.tables.hours.show(this.markets);
  }

  async #readAccel() {
    const report = await get("/accel");
    showAccel(report);
    this.tables.devices.show(report.devices);
    this.tables.calls.show(callRows(report.choices));
  }

  /** Running jobs first, then the latest. */
  async #readJobs() {
    const jobs = (await get("/jobs")).reverse();
    const running = jobs.filter((job) => job.status === "running");
    const ended = jobs.filter((job) => job.status !== "running");
    this.tables.jobs.show([...running, ...ended].slice(0, SHOWN_JOBS));
    return running.length ? SECONDS.jobs : SECONDS.jobsIdle;
  }

  async #cancel(id) {
    try {
      await post(`/jobs/${encodeURIComponent(id)}/cancel`, {});
      return true;
    } catch (error) {
      this.failed(`job ${id} was not cancelled: ${error.message}`);
      return false;
    } finally {
      this.poller.soon("jobs");
    }
  }

  // -- market hours ------------------------------------------------------------------------------------------------

  /** A calendar takes the node seconds to load: none is asked for before somebody looks. */
  #readHoursOnceSeen() {
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      this.poller.add("hours", SECONDS.hours, () => this.#readNextHours());
    });
    watch.observe($("hours"));
  }

  /** One market at a time: first those not read yet, then those whose state may have changed. */
  async #readNextHours() {
    const now = this.#now();
    const isDue = (market) => !market.hours || (now !== null && nextChange(market.hours) <= now);
    const market = this.markets.find((one) => !one.hours && !one.wrong) ?? this.markets.find(isDue);
    if (!market) return;
    try {
      market.hours = await get(`/clock/calendars/${market.name}`);
      market.wrong = null;
    } catch (error) {
      market.hours = null;
      market.wrong = error.message;
    }
    this.tables.hours.show(this.markets);
    return this.markets.some((one) => !one.hours && !one.wrong) ? 0 : SECONDS.hours;
  }
}
