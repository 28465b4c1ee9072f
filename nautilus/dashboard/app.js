// The page: reads the state over REST, keeps it current over the stream, and draws at most ten times a second.

import { get, post, throttled } from "./api.js";
import { candles, line } from "./chart.js";
import { number, percent, price } from "./format.js";
import { Header } from "./header.js";
import { Poller } from "./poller.js";
import { Stream } from "./stream.js";
import { SystemPart } from "./system.js";
import { alertOf, makeTables, showAccount, showBook } from "./views.js";

const ALERTS = ["toxicity", "flash_crash", "margin_call", "risk_alert", "risk_breach", "system_alert", "error_alert"];
const FAMILIES = ["instrument", "quote", "vpin", "enhanced_vpin", "portfolio", "position", "order", "fill", "control"];
const SPECS = ["1s", "60s", "100t", "5000v"];
const OWNERS = { prices: "marketdata", chart: "marketdata", orders: "strategy", fills: "strategy", positions: "portfolio", toxicity: "vpin", buckets: "vpin" };
const KEPT = { fills: 200, alerts: 200, tape: 40, bars: 400, buckets: 200 };
const DRAW_MS = 100;

const $ = (id) => document.getElementById(id);
const state = {
  instruments: new Map(),
  quotes: new Map(),
  vpin: new Map(),
  assessments: new Map(),
  accounts: new Map(),
  positions: new Map(),
  orders: [],
  fills: [],
  alerts: [],
  alertCount: 0,
  engines: [],
  tape: [],
  bars: [],
  buckets: [],
  book: null,
  selected: null,
  spec: "1s",
  wrongs: new Map(),
  wasLive: false,
};
const dirty = new Set();
const tick = (id) => state.instruments.get(id)?.tick_size ?? null;
const tables = makeTables(tick, { choose: select, cancel });
const header = new Header({ failed: addOwnAlert, changed: () => ordersSoon() });
const poller = new Poller();
const system = new SystemPart({ poller, header, failed: addOwnAlert });
const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const stream = new Stream(`${scheme}//${location.host}/websocket/stream`, {
  message: receive,
  frame: onFrame,
  state: onConnection,
  gap: () => reload(),
});

// -- reading the state -----------------------------------------------------------------------------------------------

/** Run a reading; what it cannot say is shown in its table's place, with the server's words. */
async function read(name, action) {
  try {
    await action();
    state.wrongs.delete(name);
    tables[name]?.say("");
  } catch (error) {
    state.wrongs.set(name, error.message);
    tables[name]?.say(error.message);
  }
  mark(name);
}

/** Why an engine cannot be asked, or nothing where it can. */
function whyNotAsked(engine) {
  const health = state.engines.find((one) => one.engine === engine);
  if (!health) return `The ${engine} engine is not in this process.`;
  return health.status === "down" ? `The ${engine} engine is not running.` : "";
}

/** As `read`, of an engine: one that is in another process, or does not run, is not asked. */
function readOf(engine, name, action) {
  return read(name, async () => {
    const why = whyNotAsked(engine);
    if (why) throw new Error(why);
    await action();
  });
}

const readOrders = () => readOf("strategy", "orders", async () => { state.orders = await get("/strategy/orders?limit=100"); });
const readFills = () => readOf("strategy", "fills", async () => { state.fills = await get(`/strategy/fills?limit=${KEPT.fills}`); });
const readTradingState = () => readOf("risk", "trading", readTrading);
const readEngines = () => read("engines", async () => {
  state.engines = await get("/engines");
  for (const [name, engine] of Object.entries(OWNERS)) {
    const why = whyNotAsked(engine);
    if (why) {
      state.wrongs.set(name, why);
      tables[name]?.say(why);
    }
  }
  mark("chart", "buckets");
});
const ordersSoon = throttled(readOrders, 1000);

async function readInstruments() {
  for (const one of await get("/marketdata/instruments")) state.instruments.set(one.id, one);
}

async function readPrices() {
  await readInstruments();
  for (const quote of Object.values(await get("/marketdata/quotes"))) state.quotes.set(quote.instrument_id, quote);
}

async function readToxicity() {
  for (const one of await get("/vpin/active")) state.vpin.set(one.instrument_id, one);
}

async function readAccounts() {
  const accounts = await get("/portfolio/accounts");
  for (const account of accounts) {
    if (account.state) state.accounts.set(account.account_id, account.state);
    for (const position of await get(`/portfolio/accounts/${encodeURIComponent(account.account_id)}/positions`)) {
      state.positions.set(`${position.account_id} ${position.instrument_id}`, position);
    }
  }
  mark("account");
}

async function readTrading() {
  header.showTrading(await get("/risk/state"));
}

async function reload() {
  await readEngines();
  await Promise.all([
    readOf("marketdata", "prices", readPrices),
    readOf("vpin", "toxicity", readToxicity),
    readOf("portfolio", "positions", readAccounts),
    readTradingState(),
    readOrders(),
    readFills(),
  ]);
  const first = state.quotes.keys().next().value ?? state.instruments.keys().next().value;
  if (state.selected === null && first) select(first);
  else if (state.selected) readSelected();
}

// -- the chosen instrument -------------------------------------------------------------------------------------------

const topicsOf = (id, spec) => [`depth.${id}`, `trade.${id}`, `bar.${spec}.${id}`];

function select(id) {
  if (id === state.selected) return;
  if (state.selected) stream.unsubscribe(topicsOf(state.selected, state.spec));
  state.selected = id;
  state.tape = [];
  state.book = null;
  tables.prices.select(id);
  tables.toxicity.select(id);
  stream.subscribe(topicsOf(id, state.spec));
  readSelected();
}

function chooseSpec(spec) {
  if (spec === state.spec) return;
  const id = state.selected;
  if (id) stream.unsubscribe([`bar.${state.spec}.${id}`]);
  state.spec = spec;
  if (id) stream.subscribe([`bar.${spec}.${id}`]);
  showSpecs();
  readSelected();
}

async function readSelected() {
  const { selected: id, spec } = state;
  const path = encodeURIComponent(id);
  state.bars = [];
  state.buckets = [];
  mark("book", "chart", "tape", "buckets");
  await Promise.all([
    readOf("marketdata", "chart", async () => {
      const bars = await get(`/marketdata/bars/${path}?spec=${spec}&limit=${KEPT.bars}`);
      if (id === state.selected && spec === state.spec) state.bars = bars;
    }),
    readOf("marketdata", "book", async () => {
      const book = await get(`/marketdata/book/${path}?depth=10`);
      if (id === state.selected && state.book === null) state.book = book;
    }),
    readBuckets(),
  ]);
}

function readBuckets() {
  const id = state.selected;
  return readOf("vpin", "buckets", async () => {
    const rows = await get(`/vpin/${encodeURIComponent(id)}/history?limit=${KEPT.buckets}`);
    const name = state.vpin.get(id)?.classification === "signed" ? "vpin_signed" : "vpin_bulk";
    if (id === state.selected) state.buckets = rows.map((row) => row[name]);
  });
}

const bucketsSoon = throttled(readBuckets, 2000);

// -- messages --------------------------------------------------------------------------------------------------------

function receive(item) {
  const family = item.topic.split(".", 1)[0];
  const { data } = item;
  if (ALERTS.includes(family) || (family === "control" && item.kind === "update")) addAlert(family, data);
  const take = TAKE[family];
  if (take) take(data);
}

const TAKE = {
  instrument: (data) => state.instruments.set(data.id, data),
  quote: (data) => {
    state.quotes.set(data.instrument_id, data);
    mark("prices");
    if (data.instrument_id === state.selected) mark("chart");
  },
  vpin: (data) => {
    state.vpin.set(data.instrument_id, { ...data, buckets: data.bucket_index + 1 });
    mark("toxicity");
    if (data.instrument_id === state.selected) bucketsSoon();
  },
  enhanced_vpin: (data) => {
    state.assessments.set(data.instrument_id, data);
    mark("toxicity");
  },
  portfolio: (data) => {
    state.accounts.set(data.account.account_id, data.account);
    mark("account");
  },
  position: ({ position }) => {
    state.positions.set(`${position.account_id} ${position.instrument_id}`, position);
    mark("positions");
  },
  order: ordersSoon,
  fill: (data) => {
    const known = state.fills.some((fill) => fill.trade_id === data.trade_id && fill.client_order_id === data.client_order_id);
    if (known) return;
    state.fills = [{ ...data, side: data.side > 0 ? "buy" : "sell" }, ...state.fills].slice(0, KEPT.fills);
    mark("fills", "chart");
  },
  depth: (data) => {
    if (data.instrument_id !== state.selected) return;
    const human = ([, , shownPrice, shownSize]) => [shownPrice, shownSize];
    state.book = { bids: data.bids.map(human), asks: data.asks.map(human) };
    mark("book");
  },
  trade: (data) => {
    if (data.instrument_id !== state.selected) return;
    state.tape = [data, ...state.tape].slice(0, KEPT.tape);
    mark("tape");
  },
  bar: (data) => {
    if (data.instrument_id !== state.selected || data.spec !== state.spec) return;
    if (state.bars.length && state.bars[state.bars.length - 1].ts_event >= data.ts_event) return;
    state.bars = [...state.bars, data].slice(-KEPT.bars);
    mark("chart");
  },
  control: () => readTradingState(),
};

function addAlert(family, data) {
  const alert = alertOf(family, data);
  if (alert === null) return;
  state.alertCount += 1;
  state.alerts = [{ ...alert, ts_event: data.ts_event, number: state.alertCount }, ...state.alerts].slice(0, KEPT.alerts);
  mark("alerts");
}

function onFrame(frame) {
  if (frame.quality) header.showQuality(frame.quality, frame.source);
  if (frame.ts) header.setClock(frame.ts);
  if (frame.type === "broadcast") {
    state.alertCount += 1;
    const words = { ts_event: frame.ts, source: "operator", severity: frame.severity, text: frame.message };
    state.alerts = [{ ...words, number: state.alertCount }, ...state.alerts].slice(0, KEPT.alerts);
    mark("alerts");
  }
}

function onConnection(connection) {
  header.showConnection(connection === "live", system.isStandingBy);
  if (connection !== "live") return;
  reload();
  if (state.wasLive) system.reload();
  state.wasLive = true;
}

// -- commands --------------------------------------------------------------------------------------------------------

async function cancel(id) {
  try {
    await post(`/strategy/orders/${encodeURIComponent(id)}/cancel`, {});
  } catch (error) {
    addOwnAlert(`order ${id} was not cancelled: ${error.message}`);
  }
  ordersSoon();
}

function addOwnAlert(text) {
  addAlert("system_alert", { ts_event: Date.now() * 1e6, source: "this page", severity: "warning", message: text });
}

// -- drawing ---------------------------------------------------------------------------------------------------------

function mark(...parts) {
  for (const part of parts) dirty.add(part);
}

const byName = (map) => [...map.values()].sort((a, b) => (a.instrument_id < b.instrument_id ? -1 : 1));

const DRAW = {
  prices: () => tables.prices.show(byName(state.quotes)),
  toxicity: () => tables.toxicity.show(toxicityRows()),
  positions: () => tables.positions.show(byName(state.positions).filter((position) => position.quantity_lots !== 0)),
  orders: () => tables.orders.show(state.orders),
  fills: () => tables.fills.show(state.fills),
  alerts: () => tables.alerts.show(state.alerts),
  engines: () => tables.engines.show(state.engines),
  tape: () => tables.tape.show(state.tape),
  account: () => {
    const account = state.accounts.values().next().value;
    if (account) showAccount($("account"), account);
  },
  book: () => {
    const book = state.book || { bids: [], asks: [] };
    $("book-title").textContent = `Book ${state.selected ?? ""}`;
    showBook($("book"), book.bids, book.asks, tick(state.selected));
  },
  chart: drawChart,
  buckets: () => {
    line($("vpin-line"), state.buckets, {
      bounds: [0, Math.max(0.2, ...state.buckets.map((value) => (value ?? 0) * 1.15))],
      format: (value) => number(value, 2),
      nothing: state.wrongs.get("buckets") || "VPIN needs more complete buckets",
    });
  },
};

function toxicityRows() {
  const rows = [...state.vpin.values()].map((one) => ({
    ...one,
    recommendation: state.assessments.get(one.instrument_id)?.recommendation,
  }));
  return rows.sort((a, b) => (b.cdf ?? b.vpin ?? 0) - (a.cdf ?? a.vpin ?? 0));
}

function drawChart() {
  const id = state.selected;
  const quote = state.quotes.get(id);
  const twoSided = quote && quote.bid_size > 0 && quote.ask_size > 0;
  const vpin = state.vpin.get(id);
  const known = vpin && vpin.vpin !== null ? `, VPIN ${number(vpin.vpin, 3)}, percentile ${percent(vpin.cdf)}` : "";
  $("chart-title").textContent = `${id ?? "Chart"}${known}`;
  candles($("candles"), state.bars, {
    last: twoSided ? (quote.bid + quote.ask) / 2 : null,
    fills: state.fills.filter((fill) => fill.instrument_id === id && fill.price !== null).map((fill) => ({ ...fill, price: Number(fill.price) })),
    format: (value) => price(value, tick(id)),
    nothing: state.wrongs.get("chart") || "no completed bar yet",
  });
}

function draw() {
  header.showClock();
  const parts = [...dirty];
  dirty.clear();
  for (const part of parts) DRAW[part]?.();
}

function showSpecs() {
  $("specs").replaceChildren(
    ...SPECS.map((spec) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "small";
      button.textContent = spec;
      button.setAttribute("aria-pressed", String(spec === state.spec));
      button.addEventListener("click", () => chooseSpec(spec));
      return button;
    }),
  );
}

// -- start -----------------------------------------------------------------------------------------------------------

showSpecs();
window.addEventListener("resize", () => mark("chart", "buckets"));
setInterval(() => requestAnimationFrame(draw), DRAW_MS);
poller.add("engines", 10, readEngines);
poller.add("trading", 10, readTradingState);
poller.start();
stream.subscribe(FAMILIES.map((family) => `${family}.>`));
stream.subscribeWithPast(ALERTS.map((family) => `${family}.>`));
stream.open();
