"""VPIN against PINstimation's output, and classifiers against the true sides of LOBSTER's executions."""

import zipfile

import numpy as np
import polars as pl
import pytest

from nautilus.engines.vpin import (
    VpinSettings,
    accuracy,
    emo,
    lee_ready,
    prevailing,
    quote_rule,
    sample_vpin,
    tick_rule,
    vpin_series,
)

pytestmark = pytest.mark.parity
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def hfdata(shared_data):
    frame = pl.read_csv(shared_data / "pin_vpin/r_outputs/pinstimation_hfdata.csv", try_parse_dates=True)
    columns = {name: np.rint(frame[name].to_numpy() * 1e4).astype(np.int64) for name in ("price", "bid", "ask")}
    return {"ts": frame["timestamp"].dt.timestamp("ns").to_numpy(), "volume": frame["volume"].to_numpy(), **columns}


def test_all_3450_buckets_equal_pinstimations(hfdata, shared_data):
    oracle = pl.read_csv(shared_data / "pin_vpin/r_outputs/pinstimation_vpin_buckets.csv", null_values="NA")
    ours = sample_vpin(
        hfdata["ts"],
        hfdata["price"],
        hfdata["volume"],
        bar_interval_ns=300 * SECOND,
        buckets_per_day=50,
        window=250,
    )
    assert (ours.days, len(ours.vpin)) == (69, len(oracle)) == (69, 3450)
    assert ours.bucket_volume == pytest.approx(4058.95594203, rel=1e-12)
    tolerance = 1e-12 * ours.bucket_volume
    np.testing.assert_allclose(ours.buy_volume, oracle["agg.bvol"].to_numpy(), rtol=0, atol=tolerance)
    np.testing.assert_allclose(ours.sell_volume, oracle["agg.svol"].to_numpy(), rtol=0, atol=tolerance)
    expected = oracle["vpin"].cast(pl.Float64).to_numpy()
    np.testing.assert_allclose(ours.vpin, expected, rtol=1e-12, atol=0)
    assert np.isnan(ours.vpin).sum() == 249
    np.testing.assert_allclose(ours.duration, oracle["duration"].to_numpy(), rtol=0, atol=1e-4)


def test_daily_buys_and_sells_equal_pinstimations(hfdata):
    """Days one and two as R prints them. It leaves out the first trade, whose side the tick rule cannot tell."""
    price, bid, ask = hfdata["price"][1:], hfdata["bid"][1:], hfdata["ask"][1:]
    day = hfdata["ts"][1:] // (86_400 * SECOND)
    days = np.unique(day)[:2]
    tick = tick_rule(hfdata["price"])[1:]

    def counts(side):
        return [(int((side[day == d] > 0).sum()), int((side[day == d] < 0).sum())) for d in days]

    assert counts(tick) == [(833, 787), (809, 808)]
    assert counts(emo(hfdata["price"], hfdata["bid"], hfdata["ask"])[1:]) == [(1059, 561), (1002, 615)]
    # R compares decimals as floats, so that a trade exactly at the midpoint falls on either side of it
    in_floats = np.sign(price / 1e4 - (bid / 1e4 + ask / 1e4) / 2).astype(np.int64)
    in_floats = np.where(in_floats != 0, in_floats, tick)
    assert counts(in_floats) == [(1037, 583), (1081, 536)]
    differs = in_floats != lee_ready(hfdata["price"], hfdata["bid"], hfdata["ask"])[1:]
    assert (2 * price == bid + ask)[differs].all()


@pytest.fixture(scope="module")
def goog(shared_data):
    """Visible executions of GOOG with the true aggressor, and the book before each."""
    name = "GOOG_2012-06-21_34200000_57600000"
    with zipfile.ZipFile(shared_data / "lobster/LOBSTER_SampleFile_GOOG_2012-06-21_1.zip") as archive:
        messages = pl.read_csv(archive.read(f"{name}_message_1.csv"), has_header=False).to_numpy()
        book = pl.read_csv(archive.read(f"{name}_orderbook_1.csv"), has_header=False).to_numpy().astype(np.int64)
    ts = np.rint(messages[:, 0] * 1e9).astype(np.int64)
    rows = np.flatnonzero(messages[:, 1] == 4)
    before = np.maximum(rows - 1, 0)
    return {
        "ts": ts[rows],
        "price": messages[rows, 4].astype(np.int64),
        "size": messages[rows, 3].astype(np.int64),
        "side": -messages[rows, 5].astype(np.int64),
        "bid": book[before, 2],
        "ask": book[before, 0],
        "book": book,
        "book_ts": ts,
    }


def test_classifiers_against_the_true_side_on_lobster(goog):
    """Shares of 7,765 visible executions of GOOG on 2012-06-21 that each rule signs rightly."""
    price, bid, ask, truth = goog["price"], goog["bid"], goog["ask"], goog["side"]
    row = prevailing(goog["ts"], goog["book_ts"], lag_ns=SECOND)
    old = goog["book"][np.maximum(row, 0)]
    measured = {
        "tick": accuracy(tick_rule(price), truth),
        "quote": accuracy(quote_rule(price, bid, ask), truth),
        "lee_ready": accuracy(lee_ready(price, bid, ask), truth),
        "emo": accuracy(emo(price, bid, ask), truth),
        "lee_ready, quotes a second old": accuracy(lee_ready(price, old[:, 2], old[:, 0]), truth),
    }
    assert len(price) == 7765
    assert measured == pytest.approx(
        {
            "tick": 0.85563,
            "quote": 1.0,
            "lee_ready": 1.0,
            "emo": 1.0,
            "lee_ready, quotes a second old": 0.91333,
        },
        abs=1e-5,
    )


def test_vpin_by_true_sides_beside_bulk_volume_on_lobster(goog):
    """The critique of Andersen and Bondarenko (2014) in numbers: bulk volume halves the imbalance of this day."""
    lots = int(goog["size"].sum()) // 200
    chosen = VpinSettings(bucket_lots=lots, bar_interval_ns=10 * SECOND, window=50, minimum_buckets=50)
    result = vpin_series(goog["ts"], goog["price"], goog["size"], goog["side"], chosen)
    misplaced = np.abs(result.bulk_buy_lots - result.buy_lots).sum() / (lots * len(result))
    assert len(result) == 200
    assert 1 - misplaced == pytest.approx(0.84812, abs=1e-5)
    assert np.nanmean(result.vpin_signed) == pytest.approx(0.40281, abs=1e-5)
    assert np.nanmean(result.vpin_bulk) == pytest.approx(0.24452, abs=1e-5)
    correlation = np.corrcoef(result.vpin_signed[49:], result.vpin_bulk[49:])[0, 1]
    assert correlation == pytest.approx(0.68174, abs=1e-5)
