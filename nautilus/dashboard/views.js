// The tables of the page: what each column shows and how it reads.

import { age, direction, duration, number, percent, price, size, time } from "./format.js";
import { Table } from "./table.js";

const LEVEL_TONE = { low: "", normal: "", elevated: "warn", high: "bad", extreme: "bad" };
const HEALTH_TONE = { live: "up", degraded: "warn", down: "down" };
const SEVERITY_TONE = { warning: "warn", minor: "warn", major: "down", critical: "down", emergency: "down" };

const $ = (id) => document.getElementById(id);
const cell = (title, value, kind = "", more = {}) => ({ title, value, kind, ...more });
const sideOf = (side) => (typeof side === "number" ? (side > 0 ? "buy" : side < 0 ? "sell" : "") : side);
const sideTone = (row) => (sideOf(row.side) === "buy" ? "up" : "down");

/** Every table by name; `tick(id)` gives an instrument's tick size. */
export function makeTables(tick, { choose, cancel }) {
  return {
    prices: new Table($("prices"), priceColumns(tick), (row) => row.instrument_id, {
      choose,
      empty: "No quotes yet.",
    }),
    tape: new Table($("tape"), tapeColumns(tick), (row) => row.trade_id, { empty: "No trades since this page opened." }),
    positions: new Table($("positions"), positionColumns(tick), (row) => `${row.account_id} ${row.instrument_id}`, {
      empty: "No open positions.",
    }),
    orders: new Table($("orders"), orderColumns(tick, cancel), (row) => row.client_order_id, { empty: "No orders yet." }),
    fills: new Table($("fills"), fillColumns(tick), (row) => `${row.instrument_id} ${row.trade_id} ${row.client_order_id}`, {
      empty: "No fills yet.",
    }),
    toxicity: new Table($("toxicity"), toxicityColumns(), (row) => row.instrument_id, {
      choose,
      empty: "No instrument has a complete bucket yet.",
    }),
    alerts: new Table($("alerts"), alertColumns(), (row) => row.number, { empty: "No alerts." }),
    engines: new Table($("engines"), engineColumns(), (row) => row.engine),
  };
}

function priceColumns(tick) {
  const shown = (name) => ({ value: (row) => price(row[name], tick(row.instrument_id)), flash: (row) => row[name] });
  return [
    cell("Instrument", (row) => row.instrument_id),
    cell("Bid", null, "number", shown("bid")),
    cell("Ask", null, "number", shown("ask")),
    cell("Size", (row) => `${size(row.bid_size)} × ${size(row.ask_size)}`, "number"),
    cell("Spread", (row) => spread(row), "number"),
    cell("Time", (row) => time(row.ts_event), "number"),
  ];
}

/** The spread in basis points of the middle. */
function spread(row) {
  if (!row.bid_size || !row.ask_size || !(row.ask + row.bid > 0)) return number(null);
  return `${number(((row.ask - row.bid) / ((row.ask + row.bid) / 2)) * 1e4, 1)} bp`;
}

function tapeColumns(tick) {
  const tone = (row) => direction(row.aggressor);
  return [
    cell("Time", (row) => time(row.ts_event), "number"),
    cell("Price", (row) => price(row.price, tick(row.instrument_id)), "number", { tone }),
    cell("Size", (row) => size(row.size), "number"),
    cell("Taker", (row) => (row.aggressor > 0 ? "buyer" : row.aggressor < 0 ? "seller" : "unknown")),
  ];
}

function positionColumns(tick) {
  const money = (title, name) => cell(title, (row) => number(row[name]), "number", { tone: (row) => direction(row[name]) });
  const priced = (row, ticks) => {
    const step = tick(row.instrument_id);
    return ticks === null || step === null ? price(null) : number(ticks * Number(step), 4);
  };
  return [
    cell("Instrument", (row) => row.instrument_id),
    cell("Lots", (row) => size(row.quantity_lots), "number", { tone: (row) => direction(row.quantity_lots) }),
    cell("Average", (row) => priced(row, row.average_price_ticks), "number"),
    cell("Mark", (row) => priced(row, row.mark_ticks), "number"),
    cell("Value", (row) => number(row.market_value), "number"),
    money("Unrealised", "unrealized_pnl"),
    money("Realised", "realized_pnl"),
    cell("", (row) => row.currency),
  ];
}

function orderColumns(tick, cancel) {
  const buttons = new Map();
  const button = (row) => {
    if (["filled", "canceled", "rejected", "denied", "expired"].includes(row.status)) {
      buttons.delete(row.client_order_id);
      return row.reason;
    }
    if (!buttons.has(row.client_order_id)) {
      const made = document.createElement("button");
      made.type = "button";
      made.className = "small";
      made.textContent = "Cancel";
      made.setAttribute("aria-label", `Cancel order ${row.client_order_id}`);
      made.addEventListener("click", () => cancel(row.client_order_id));
      buttons.set(row.client_order_id, made);
    }
    return buttons.get(row.client_order_id);
  };
  return [
    cell("Time", (row) => time(row.ts_last), "number"),
    cell("Instrument", (row) => row.instrument_id),
    cell("Side", (row) => row.side, "", { tone: sideTone }),
    cell("Type", (row) => row.order_type.replace("_", " ")),
    cell("Filled", (row) => `${size(row.filled ?? row.filled_lots)} / ${size(row.quantity ?? row.quantity_lots)}`, "number"),
    cell("Price", (row) => price(row.price ?? row.trigger_price, tick(row.instrument_id)), "number"),
    cell("Status", (row) => row.status.replace("_", " ")),
    cell("Strategy", (row) => row.strategy_id),
    cell("", button, "note"),
  ];
}

function fillColumns(tick) {
  return [
    cell("Time", (row) => time(row.ts_event), "number"),
    cell("Instrument", (row) => row.instrument_id),
    cell("Side", (row) => sideOf(row.side), "", { tone: sideTone }),
    cell("Size", (row) => size(row.quantity ?? row.quantity_lots), "number"),
    cell("Price", (row) => price(row.price, tick(row.instrument_id)), "number"),
    cell("Fee", (row) => number(row.fee, 4), "number"),
    cell("Rule", (row) => `${row.liquidity}, ${row.rule.replaceAll("_", " ")}`),
    cell("Strategy", (row) => row.strategy_id),
  ];
}

function toxicityColumns() {
  return [
    cell("Instrument", (row) => row.instrument_id),
    cell("VPIN", (row) => number(row.vpin, 3), "number"),
    cell("Percentile", (row) => percent(row.cdf), "number"),
    cell("Level", (row) => row.level, "", { tone: (row) => LEVEL_TONE[row.level] || "" }),
    cell("Buckets", (row) => size(row.buckets), "number"),
    cell("Assessment", (row) => (row.recommendation || "").replaceAll("_", " ")),
  ];
}

function alertColumns() {
  return [
    cell("Time", (row) => time(row.ts_event), "number"),
    cell("From", (row) => row.source),
    cell("Severity", (row) => row.severity, "", { tone: (row) => SEVERITY_TONE[row.severity] || "" }),
    cell("What", (row) => row.text, "text"),
  ];
}

function engineColumns() {
  return [
    cell("Engine", (row) => row.engine.replace("_", " ")),
    cell("Status", (row) => row.status, "", { tone: (row) => HEALTH_TONE[row.status] || "" }),
    cell("In", (row) => size(row.inputs), "number"),
    cell("Errors", (row) => size(row.errors), "number", { tone: (row) => (row.errors ? "down" : "") }),
    cell("p99", (row) => duration(row.delivery_p99_ns), "number"),
    cell("Last input", (row) => age(row.last_input_age_seconds), "number"),
    cell("Why", (row) => row.reasons.join("; "), "text"),
  ];
}

/** The tiles over the panels, from an account's state. */
export function showAccount(element, account) {
  const tiles = [
    ["NAV", number(account.equity), ""],
    ["Cash", number(account.cash), ""],
    ["Unrealised P&L", number(account.unrealized_pnl), direction(account.unrealized_pnl)],
    ["Realised P&L", number(account.realized_pnl), direction(account.realized_pnl)],
    ["Fees", number(account.fees), ""],
    ["Gross exposure", number(account.gross_exposure), ""],
    ["Net exposure", number(account.net_exposure), direction(account.net_exposure)],
  ];
  if (element.children.length !== tiles.length) {
    element.replaceChildren(
      ...tiles.map(([title]) => {
        const tile = document.createElement("div");
        const value = document.createElement("b");
        const label = document.createElement("span");
        label.textContent = title;
        tile.className = "tile";
        tile.append(value, label);
        return tile;
      }),
    );
  }
  tiles.forEach(([title, text, tone], index) => {
    const [value, label] = element.children[index].children;
    value.textContent = text;
    value.className = tone;
    label.textContent = `${title} ${account.account_id}, ${account.currency}`;
  });
}

/** Levels [price, size] of both sides, best first, with bars as long as their share of the largest. */
export function showBook(element, bids, asks, step) {
  const largest = Math.max(1e-12, ...bids.map((level) => level[1]), ...asks.map((level) => level[1]));
  const rows = Math.max(bids.length, asks.length);
  while (element.children.length < rows * 2) element.append(makeLevel(element.children.length % 2 ? "ask" : "bid"));
  while (element.children.length > rows * 2) element.lastElementChild.remove();
  for (let row = 0; row < rows; row += 1) {
    showLevel(element.children[2 * row], bids[row], largest, step, true);
    showLevel(element.children[2 * row + 1], asks[row], largest, step, false);
  }
}

function makeLevel(side) {
  const level = document.createElement("div");
  level.className = `level ${side}`;
  level.append(document.createElement("i"), document.createElement("span"), document.createElement("span"));
  return level;
}

function showLevel(element, level, largest, step, isBid) {
  const [bar, left, right] = element.children;
  const priceText = level ? price(level[0], step) : "";
  const sizeText = level ? size(level[1]) : "";
  left.textContent = isBid ? sizeText : priceText;
  right.textContent = isBid ? priceText : sizeText;
  (isBid ? right : left).className = isBid ? "up" : "down";
  (isBid ? left : right).className = "";
  bar.style.width = level ? `${(level[1] / largest) * 100}%` : "0";
}

/** An alert of any kind as {ts_event, source, severity, text}; null for a message that is none. */
export function alertOf(family, data) {
  const instrument = data.instrument_id;
  switch (family) {
    case "toxicity":
      return {
        source: instrument,
        severity: data.active ? "warning" : "info",
        text: `toxicity ${data.active ? "rose to" : "fell to"} ${data.level}, VPIN ${number(data.vpin, 3)}`,
      };
    case "flash_crash":
      return { source: instrument, severity: "critical", text: `flash-crash score ${number(data.score, 2)}` };
    case "margin_call":
      return { source: data.account_id, severity: data.level, text: `${data.active ? "" : "over: "}${data.action}` };
    case "risk_alert":
      return { source: data.scope, severity: data.severity, text: `${data.kind}: ${data.message}` };
    case "risk_breach":
      return {
        source: data.scope,
        severity: data.severity,
        text: `${data.kind} ${number(data.value)} over its limit ${number(data.limit)}: ${data.status}, ${data.action}`,
      };
    case "system_alert":
      return { source: data.source, severity: data.severity, text: data.message };
    case "error_alert":
      return { source: data.source, severity: "warning", text: `${data.error} (${data.count} times)` };
    case "control":
      return {
        source: data.scope,
        severity: data.kill_switch ? "emergency" : data.state === "active" ? "info" : "warning",
        text: `trading ${data.state}${data.reason ? `: ${data.reason}` : ""}${data.actor ? ` (${data.actor})` : ""}`,
      };
    default:
      return null;
  }
}
