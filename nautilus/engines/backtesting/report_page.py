"""A backtest's report as one self-contained HTML page: figures, equity, drawdown, fills. It loads nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

import msgspec

from nautilus.engines.backtesting.models import BacktestReport, EquityPoint

WIDTH, HEIGHT, MARGIN = 960, 240, 56
_STYLE = """
:root { color-scheme: dark light; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
table { border-collapse: collapse; margin: .5rem 0; } td, th { padding: .15rem .8rem; border-bottom: 1px solid #8884; }
td { font-variant-numeric: tabular-nums; } th { text-align: left; } td.number { text-align: right; }
svg { width: 100%; height: auto; } .columns { display: flex; flex-wrap: wrap; gap: 2rem; }
text { font: 11px system-ui, sans-serif; fill: currentColor; opacity: .8; } pre { overflow: auto; }
"""


def report_page(report: BacktestReport) -> str:
    """The page. Everything from outside is escaped."""
    title = ", ".join(choice.strategy_id for choice in report.request.strategies)
    account = report.account
    money = {
        "Initial cash": f"{account.deposits:,}",
        "Final equity": f"{account.equity:,}",
        "Realized P&L": f"{account.realized_pnl:,}",
        "Unrealized P&L": f"{account.unrealized_pnl:,}",
        "Fees": f"{account.fees:,}",
    }
    facts = {
        "Data": report.data_description,
        "From": _time(report.ts_start),
        "To": _time(report.ts_end),
        "Market events": f"{report.market_events:,}",
        "Code version": report.code_version,
        "Data SHA-256": report.data_sha256[:16],
        "Journal SHA-256": report.journal_sha256[:16],
    }
    trades = {name.replace("_", " "): _number(value) for name, value in msgspec.to_builtins(report.trades).items()}
    orders = {name: f"{value:,}" for name, value in msgspec.to_builtins(report.orders).items()}
    statistics = {name.replace("_", " "): _number(value) for name, value in report.statistics.items()}
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>Backtest {escape(report.run_id)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1><p>Backtest {escape(report.run_id)} in {escape(account.currency)}</p>",
            f'<div class="columns">{_table(money)}{_table(facts)}{_table(orders)}</div>',
            *(f"<p><strong>Problem:</strong> {escape(text)}</p>" for text in report.problems),
            f"<h2>Equity</h2>{_chart([(point.ts, point.equity) for point in report.equity], '#3b82f6')}",
            f"<h2>Drawdown</h2>{_chart(_drawdown(report.equity), '#ef4444')}",
            f'<div class="columns"><div><h2>Statistics</h2>{_table(statistics)}</div>',
            f"<div><h2>Round trips</h2>{_table(trades)}</div></div>",
            f"<h2>Fills</h2>{_fills(report)}",
            f"<h2>Request</h2><pre>{escape(msgspec.json.format(msgspec.json.encode(report.request)).decode())}</pre>",
            "</body></html>",
        ]
    )


def _time(ts: int) -> str:
    return datetime.fromtimestamp(ts // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _number(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def _table(rows: dict[str, str]) -> str:
    cells = "".join(
        f'<tr><th>{escape(name)}</th><td class="number">{escape(value)}</td></tr>' for name, value in rows.items()
    )
    return f"<table>{cells}</table>"


def _drawdown(equity: Sequence[EquityPoint]) -> list[tuple[int, float]]:
    peak, series = float("-inf"), []
    for point in equity:
        peak = max(peak, point.equity)
        series.append((point.ts, point.equity / peak - 1 if peak > 0 else 0.0))
    return series


def _chart(points: Sequence[tuple[int, float]], colour: str) -> str:
    if len(points) < 2:
        return "<p>Too few points to draw.</p>"
    step = max(1, len(points) // WIDTH)
    shown = [*points[::step], points[-1]]
    first, last = shown[0][0], shown[-1][0]
    low, high = min(value for _, value in shown), max(value for _, value in shown)
    across, up = max(1, last - first), (high - low) or 1.0
    width, height = WIDTH - 2 * MARGIN, HEIGHT - 48
    line = " ".join(
        f"{MARGIN + (ts - first) / across * width:.1f},{HEIGHT - 24 - (value - low) / up * height:.1f}"
        for ts, value in shown
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><polyline fill="none" stroke="{colour}" stroke-width="1.5" '
        f'points="{line}"/><text x="0" y="20">{high:,.6g}</text><text x="0" y="{HEIGHT - 20}">{low:,.6g}</text>'
        f'<text x="{MARGIN}" y="{HEIGHT - 4}">{_time(first)}</text>'
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 4}" text-anchor="end">{_time(last)}</text></svg>'
    )


def _fills(report: BacktestReport, most: int = 200) -> str:
    head = "".join(
        f"<th>{name}</th>" for name in ("time", "order", "instrument", "side", "quantity", "price", "fee", "rule")
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(str(cell))}</td>"
            for cell in (
                _time(fill.ts),
                fill.client_order_id,
                fill.instrument_id,
                fill.side,
                fill.quantity,
                fill.price,
                fill.fee,
                fill.rule,
            )
        )
        + "</tr>"
        for fill in report.fills[:most]
    )
    note = f"<p>The first {most} of {report.fills_total:,}.</p>" if report.fills_total > most else ""
    return f"{note}<table><tr>{head}</tr>{rows}</table>"
