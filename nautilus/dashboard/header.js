// The header: what the numbers rest on, the connection, the node's time, the trading state and the kill switch.

import { post } from "./api.js";
import { time } from "./format.js";

const QUALITIES = {
  live: ["live", "good"],
  simulated: ["simulated", "warn"],
  replayed: ["replay", "warn"],
  stale: ["stale", "bad"],
  none: ["no data", "bad"],
};
const $ = (id) => document.getElementById(id);

/** `failed(text)` is told when a command was not carried out, `changed()` when trading was stopped or released. */
export class Header {
  constructor({ failed, changed }) {
    this.failed = failed;
    this.changed = changed;
    this.killed = false;
    this.trading = "unknown";
    this.isOwner = true;
    this.clock = null;
    this.clockStands = false;
    this.warnings = new Map();
    this.shownWarnings = "";
    $("kill").addEventListener("click", () => this.#ask());
    $("kill-cancel").addEventListener("click", () => $("kill-dialog").close());
    $("kill-form").addEventListener("submit", (event) => this.#kill(event));
  }

  /** What market data rest on: nobody shall take a simulation for the market. */
  showQuality(quality, source) {
    const [text, tone] = QUALITIES[quality] || [quality, "bad"];
    $("quality").textContent = text;
    $("quality").className = `badge ${tone}`;
    $("source").textContent = source;
    document.title = quality === "live" ? "Nautilus" : `Nautilus (${text})`;
  }

  /** `isStandingBy`: the node has nothing to stream yet. */
  showConnection(live, isStandingBy = false) {
    $("connection").textContent = live ? "connected" : isStandingBy ? "standing by" : "connection lost, trying again";
    $("connection").className = `chip ${live ? "good" : isStandingBy ? "warn" : "bad"}`;
    if (!live) this.clock = null;
  }

  /** Set the clock to the node's time. */
  setClock(ns) {
    this.clock = { ns, at: performance.now() };
  }

  /** Show the node's time, carried on between heartbeats; it stands still while the connection is lost. */
  showClock() {
    if (!this.clock) return;
    const since = this.clockStands ? 0 : performance.now() - this.clock.at;
    $("clock").textContent = `${time(this.clock.ns + since * 1e6)} UTC${this.clockStands ? " (test clock)" : ""}`;
  }

  /** "test" for a clock that only moves when it is told to. */
  setClockKind(kind) {
    this.clockStands = kind === "test";
  }

  /** The state of /risk/state. */
  showTrading({ trading_state: trading, kill_switch: kill }) {
    this.killed = kill.engaged;
    this.trading = trading;
    this.#showTrading();
    $("kill").textContent = kill.engaged ? "Release kill switch" : "Kill switch";
    const words = `Kill switch engaged by ${kill.actor || "unknown"} at ${time(kill.ts_event)} UTC: ${kill.reason}`;
    this.warn("kill switch", kill.engaged ? [{ tone: "bad", text: words }] : []);
  }

  /** Whether this node may trade its accounts, as far as other nodes are concerned. */
  setOwner(isOwner) {
    this.isOwner = isOwner;
    this.#showTrading();
  }

  #showTrading() {
    $("trading").textContent = `trading: ${this.isOwner ? this.trading : "not owner"}`;
    $("trading").className = `chip ${!this.isOwner ? "bad" : { active: "good", unknown: "" }[this.trading] ?? "bad"}`;
  }

  /** Show lines {tone, text} of one source in the banner, in place of what it said before; none to be silent. */
  warn(source, lines) {
    this.warnings.set(source, lines);
    const all = [...this.warnings.values()].flat();
    const shown = JSON.stringify(all);
    if (shown === this.shownWarnings) return; // an alert is read out again whenever it is touched
    this.shownWarnings = shown;
    $("banner").hidden = all.length === 0;
    $("banner").replaceChildren(
      ...all.map(({ tone, text }) => {
        const line = document.createElement("p");
        line.className = tone;
        line.textContent = text;
        return line;
      }),
    );
  }

  #ask() {
    $("kill-title").textContent = this.killed ? "Release the kill switch" : "Engage the kill switch";
    $("kill-text").textContent = this.killed
      ? "New orders will pass the risk gate again."
      : "Every new order is refused and every open order is cancelled, for all strategies, at once.";
    $("kill-confirm").textContent = this.killed ? "Release" : "Stop trading";
    $("kill-reason").value = "";
    $("kill-dialog").showModal();
    $("kill-reason").focus();
  }

  async #kill(event) {
    event.preventDefault();
    const reason = $("kill-reason").value.trim();
    if (!reason) return;
    $("kill-dialog").close();
    try {
      this.showTrading(await post(this.killed ? "/risk/kill/lift" : "/risk/kill", { reason, actor: "dashboard" }));
    } catch (error) {
      this.warn("kill switch", [{ tone: "bad", text: `The kill switch did not answer: ${error.message}` }]);
      this.failed(`the kill switch did not answer: ${error.message}`);
    }
    this.changed();
  }
}
