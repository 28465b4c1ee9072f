// Drawings on canvas: candles with volume, and a line with a level. No library, no state but what is handed in.

const COLOURS = { up: "#3fc88a", down: "#ff6b6b", line: "#232d38", text: "#8495a8", accent: "#4cc2ff", warn: "#f2b84b" };
const RIGHT = 62;
const FONT = "11px ui-monospace, Menlo, Consolas, monospace";

/** The canvas made as sharp as the screen; returns its context and size in CSS pixels. */
function prepare(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = FONT;
  context.textBaseline = "middle";
  return { context, width, height };
}

/** Round numbers between low and high, about `count` of them. */
export function ticks(low, high, count = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const found = [];
  for (let index = Math.ceil(low / step - 1e-9) + 0; index * step <= high + step * 1e-9; index += 1) found.push(index * step);
  return found;
}

/** Lowest and highest of some numbers, with a margin, so that they never coincide. */
export function range(values) {
  const known = values.filter((value) => value !== null && value !== undefined && Number.isFinite(value));
  if (known.length === 0) return null;
  const low = Math.min(...known);
  const high = Math.max(...known);
  const margin = (high - low || Math.abs(high) * 1e-4 || 1) * 0.06;
  return [low - margin, high + margin];
}

function say(context, width, height, text) {
  context.fillStyle = COLOURS.text;
  context.textAlign = "center";
  context.fillText(text, width / 2, height / 2);
}

function axis(context, width, low, high, y, format) {
  context.textAlign = "left";
  for (const value of ticks(low, high)) {
    context.strokeStyle = COLOURS.line;
    context.beginPath();
    context.moveTo(0, Math.round(y(value)) + 0.5);
    context.lineTo(width - RIGHT, Math.round(y(value)) + 0.5);
    context.stroke();
    context.fillStyle = COLOURS.text;
    context.fillText(format(value), width - RIGHT + 6, y(value));
  }
}

/** Bars {open, high, low, close, volume} as candles over their volume; `last` is the last price, `fills` our own. */
export function candles(canvas, bars, { last = null, fills = [], format = String, nothing = "no bars yet" } = {}) {
  const { context, width, height } = prepare(canvas);
  const step = Math.max(3, Math.min(14, (width - RIGHT) / Math.max(30, bars.length)));
  const shown = bars.slice(-Math.floor((width - RIGHT) / step));
  const span = range([...shown.flatMap((bar) => [bar.low, bar.high]), last]);
  if (shown.length === 0 || span === null) {
    say(context, width, height, nothing);
    return;
  }
  const [low, high] = span;
  const top = 8;
  const floor = height * 0.8;
  const y = (value) => top + ((high - value) / (high - low)) * (floor - top);
  axis(context, width, low, high, y, format);
  const busiest = Math.max(...shown.map((bar) => bar.volume), 1e-12);
  shown.forEach((bar, index) => {
    const left = index * step;
    const middle = Math.round(left + step / 2) + 0.5;
    context.strokeStyle = context.fillStyle = bar.close >= bar.open ? COLOURS.up : COLOURS.down;
    context.beginPath();
    context.moveTo(middle, y(bar.high));
    context.lineTo(middle, y(bar.low));
    context.stroke();
    const body = Math.max(1, Math.abs(y(bar.open) - y(bar.close)));
    context.fillRect(left + 1, Math.min(y(bar.open), y(bar.close)), step - 2, body);
    context.globalAlpha = 0.35;
    const tall = (bar.volume / busiest) * (height - floor - 6);
    context.fillRect(left + 1, height - tall, step - 2, tall);
    context.globalAlpha = 1;
  });
  marks(context, shown, fills, step, y);
  if (last !== null) lastLine(context, width, y(last), format(last));
}

/** Our own fills as triangles in the bar during which they happened. */
function marks(context, shown, fills, step, y) {
  for (const fill of fills) {
    const index = shown.findIndex((bar) => fill.ts_event > bar.ts_open && fill.ts_event <= bar.ts_event);
    if (index < 0) continue;
    const middle = index * step + step / 2;
    const bought = fill.side === "buy";
    const tip = y(fill.price);
    const base = tip + (bought ? 8 : -8);
    context.fillStyle = COLOURS.accent;
    context.beginPath();
    context.moveTo(middle, tip);
    context.lineTo(middle - 5, base);
    context.lineTo(middle + 5, base);
    context.fill();
  }
}

function lastLine(context, width, at, text) {
  context.strokeStyle = COLOURS.accent;
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(0, at);
  context.lineTo(width - RIGHT, at);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = COLOURS.accent;
  context.textAlign = "left";
  context.fillText(text, width - RIGHT + 6, at);
}

/** Values as a line; nulls are gaps. */
export function line(canvas, values, { format = String, nothing = "not enough data yet", bounds = null } = {}) {
  const { context, width, height } = prepare(canvas);
  const span = bounds || range(values);
  if (values.every((value) => value === null) || span === null) {
    say(context, width, height, nothing);
    return;
  }
  const [low, high] = span;
  const y = (value) => 6 + ((high - value) / (high - low)) * (height - 12);
  axis(context, width, low, high, y, format);
  context.strokeStyle = COLOURS.warn;
  context.beginPath();
  let open = false;
  values.forEach((value, index) => {
    if (value === null) {
      open = false;
      return;
    }
    const x = (index / Math.max(1, values.length - 1)) * (width - RIGHT);
    if (open) context.lineTo(x, y(value));
    else context.moveTo(x, y(value));
    open = true;
  });
  context.stroke();
  const last = values.findLastIndex((value) => value !== null);
  context.fillStyle = COLOURS.warn;
  context.fillRect((last / Math.max(1, values.length - 1)) * (width - RIGHT) - 2, y(values[last]) - 2, 4, 4);
}
