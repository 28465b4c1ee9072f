from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from nautilus.engines.marketdata import read_bars, read_quotes, read_tick_file, read_trades
from nautilus.engines.marketdata.tick_files import parse_name
from nautilus.errors import Invalid
from nautilus.testing import make_instrument

INSTRUMENT = make_instrument(lot_size=Decimal("0.1"))
QUOTES = "ts_event,bid_price,ask_price,bid_size,ask_size"
TRADES = "ts_event,price,size,aggressor"
BARS = "ts_event,open,high,low,close,volume"


def _csv(folder: Path, name: str, header: str, *rows: str) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_quotes_trades_and_bars_are_read_exactly(tmp_path):
    quotes = read_quotes(_csv(tmp_path, "q.csv", QUOTES, "5,587.88,587.90,1.5,0", "5,0.07,0.07,0.1,0.2"), INSTRUMENT)
    assert quotes.columns.bid_ticks.tolist() == [58788, 7]
    assert quotes.columns.ask_ticks.tolist() == [58790, 7]
    assert quotes.columns.bid_lots.tolist() == [15, 1]
    assert quotes.columns.ask_lots.tolist() == [0, 2]
    trades = read_trades(_csv(tmp_path, "t.csv", TRADES, "5, 1.10 ,2,BUY", "6,1.11,3,sell", "6,1.11,3,0"), INSTRUMENT)
    assert trades.columns.price_ticks.tolist() == [110, 111, 111]
    assert trades.columns.aggressor.tolist() == [1, -1, 0]
    assert trades.columns.trade_id.tolist() == [1, 2, 3]
    bars = read_bars(_csv(tmp_path, "b.csv", BARS, "60000000000,1,3,0.5,2,10"), INSTRUMENT, "60s")
    assert bars.columns.high_ticks.tolist() == [300]
    assert bars.columns.ts_open.tolist() == [0]


def test_parquet_gives_the_same_as_csv(tmp_path):
    csv = _csv(tmp_path, "X.Y.trades.csv", TRADES, "5,1.1,2,BUY", "6,1.11,3,SELL")
    pl.read_csv(csv).write_parquet(tmp_path / "X.Y.trades.parquet")
    one, other = (read_tick_file(tmp_path / f"X.Y.trades.{kind}", INSTRUMENT).columns for kind in ("csv", "parquet"))
    assert all((one.arrays()[name] == other.arrays()[name]).all() for name in one.names())


def test_times_may_be_iso_8601_with_zone_or_without(tmp_path):
    rows = ("1970-01-01T00:00:01.000000005Z,1,1,1", "1970-01-01T02:00:02+02:00,1,1,1", "1970-01-01 00:00:03,1,1,1")
    file = read_trades(_csv(tmp_path, "t.csv", TRADES, *rows), INSTRUMENT)
    assert file.columns.ts_event.tolist() == [1_000_000_005, 2_000_000_000, 3_000_000_000]


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        (QUOTES, "6,1.2,1.1,1,1", "row 3, column bid_price: crossed: bid above ask: 1.2"),
        (QUOTES, "6,-1.0,1.1,1,1", "row 3, column bid_price: price not positive: -1.0"),
        (QUOTES, "6,0,1.1,1,1", "row 3, column bid_price: price not positive"),
        (QUOTES, "6,nan,1.1,1,1", "row 3, column bid_price: not a finite number"),
        (QUOTES, "6,1.0,inf,1,1", "row 3, column ask_price: not a finite number"),
        (QUOTES, "6,1.0,1.001,1,1", "row 3, column ask_price: not a multiple of 0.01: 1.001"),
        (QUOTES, "6,1.0,1.1,-1,1", "row 3, column bid_size: negative size"),
        (QUOTES, "6,1.0,1.1,0.05,1", "row 3, column bid_size: not a multiple of 0.1"),
        (QUOTES, "6,1.0,1e300,1,1", "row 3, column ask_price: too large"),
        (QUOTES, "4,1.0,1.1,1,1", "row 3, column ts_event: time runs backwards: 4"),
        (QUOTES, "-4,1.0,1.1,1,1", "row 3, column ts_event: impossible time"),
        (TRADES, "6,1.0,0,BUY", "row 3, column size: size not positive"),
        (TRADES, "6,1.0,1,7", "row 3, column aggressor: side unknown"),
        (BARS, "6,1,2,1.5,2,1", "row 3, column low: low is not the lowest"),
        (BARS, "6,3,2,1,2,1", "row 3, column high: high is not the highest"),
    ],
)
def test_a_row_that_cannot_be_true_is_named_or_left_out_and_counted(tmp_path, header, row, said):
    good = {QUOTES: "5,1.0,1.1,1,1", TRADES: "5,1.0,1,BUY", BARS: "5,1,2,1,2,1"}[header]
    name = {QUOTES: "X.Y.quotes.csv", TRADES: "X.Y.trades.csv", BARS: "X.Y.bars-5t.csv"}[header]
    path = _csv(tmp_path, name, header, good, row, good)
    with pytest.raises(Invalid) as refused:
        read_tick_file(path, INSTRUMENT)
    assert str(refused.value).startswith(f"{path}: {said}")
    file = read_tick_file(path, INSTRUMENT, "skip")
    assert len(file.columns) == 2
    assert sum(file.skipped.values()) == 1
    assert next(iter(file.skipped)) in said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("x,1,1,1", "row 3, column ts_event: 'x' is not a number"),
        ("6,abc,1,1", "row 3, column price: 'abc' is not a number"),
        ("6,,1,1", "row 3, column price: None is not a number"),
        ("6,1,1,maybe", "row 3, column aggressor: 'MAYBE' is not a number"),
    ],
)
def test_a_cell_that_is_no_number_is_always_refused(tmp_path, row, said):
    path = _csv(tmp_path, "t.csv", TRADES, "5,1,1,1", row)
    with pytest.raises(Invalid, match=said):
        read_trades(path, INSTRUMENT, "skip")


def test_a_text_that_is_no_time_is_named(tmp_path):
    path = _csv(tmp_path, "t.csv", TRADES, "2020-01-01T00:00:00Z,1,1,1", "yesterday,1,1,1")
    with pytest.raises(Invalid, match="row 3, column ts_event: 'yesterday' is not a time"):
        read_trades(path, INSTRUMENT)


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(Invalid, match="no such file"):
        read_trades(tmp_path / "t.csv", INSTRUMENT)
    with pytest.raises(Invalid, match=r"must be a \.csv or \.parquet"):
        read_trades(tmp_path / "t.txt", INSTRUMENT)
    with pytest.raises(Invalid, match="column size: is missing; there are ts_event, price"):
        read_trades(_csv(tmp_path, "t.csv", "ts_event,price", "1,1"), INSTRUMENT)
    (tmp_path / "t.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(Invalid, match="cannot be read"):
        read_trades(tmp_path / "t.parquet", INSTRUMENT)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(Invalid, match="cannot be read"):
        read_trades(tmp_path / "empty.csv", INSTRUMENT)
    with pytest.raises(Invalid, match="must be called"):
        read_tick_file(_csv(tmp_path, "what.csv", TRADES, "1,1,1,1"), INSTRUMENT)


def test_names_say_instrument_kind_and_spec():
    assert parse_name(Path("A.B.quotes.csv")).kind == "quotes"
    assert parse_name(Path("A.B.bars-100t.parquet")).spec == "100t"
    assert parse_name(Path("A.B.bars.csv")) is None
    assert parse_name(Path("A.B.trades.txt")) is None
