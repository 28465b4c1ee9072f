import numpy as np
import pytest

from nautilus.engines.marketdata import OrderBook, find_days, read_day
from nautilus.engines.marketdata.lobster import is_lobster
from nautilus.errors import Invalid
from nautilus.model import Side
from tests.engines.marketdata.lobster_days import NAME, make_day, write_day


@pytest.fixture
def day():
    return make_day(3, 200, 1)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_of_zips_or_csvs_gives_the_day_with_most_levels(tmp_path, day, zipped):
    write_day(tmp_path, *day, zipped=zipped)
    write_day(tmp_path, *make_day(2, 100, 1), zipped=zipped)
    (files,) = find_days(tmp_path)
    assert (files.ticker, files.date, files.levels) == ("TEST", "2012-06-21", 3)
    assert len(read_day(files)) == len(day[0])
    assert is_lobster(tmp_path)


def test_a_zip_alone_or_one_csv_of_a_pair_is_enough(tmp_path, day):
    write_day(tmp_path / "zips", *day, zipped=True)
    write_day(tmp_path / "csvs", *day)
    for path in (tmp_path / "zips" / "level_3.zip", tmp_path / "csvs" / NAME.format("orderbook", 3)):
        (files,) = find_days(path)
        assert len(read_day(files)) == len(day[0])


def test_times_prices_and_sides_are_exact(tmp_path, day):
    messages, rows = day
    read = read_day(find_days(write_day(tmp_path, messages, rows))[0])
    assert read.instrument.id == "TEST.XNAS"
    assert str(read.instrument.tick_size) == "0.01"
    midnight_utc_ns = 1_340_251_200_000_000_000  # 2012-06-21 00:00 in New York is 04:00 UTC
    assert read.ts_event[0] == midnight_utc_ns + round(messages[0, 0] * 1e9)
    assert np.array_equal(read.price_ticks * 100, messages[:, 4].astype(int))
    trades = read.trades()
    executed = np.isin(messages[:, 1], (4, 5))
    assert len(trades) == executed.sum()
    assert np.array_equal(trades.aggressor, -messages[executed, 5].astype(int))
    assert np.array_equal(trades.trade_id, np.nonzero(executed)[0] + 1)


def test_the_tick_is_as_fine_as_the_prices_need(tmp_path, day):
    messages, rows = day
    hidden = np.nonzero(messages[:, 1] == 5)[0][0]
    messages[hidden, 4] += 50
    read = read_day(find_days(write_day(tmp_path, messages, rows))[0])
    assert str(read.instrument.tick_size) == "0.005"
    assert read.instrument.price(int(read.price_ticks[hidden])) == messages[hidden, 4] / 10_000


def test_deltas_end_in_lobsters_last_row_and_close_each_group(tmp_path, day):
    read = read_day(find_days(write_day(tmp_path, *day))[0])
    deltas, rows = read.deltas()
    book = OrderBook()
    for side, price, lots in zip(deltas.side, deltas.price_ticks, deltas.size_lots, strict=True):
        book.apply(int(side), int(price), int(lots))
    cells = read.book[-1].reshape(-1, 4).tolist()
    assert book.asks() == tuple((price, lots) for price, lots, _, _ in cells if lots)
    assert book.bids() == tuple((price, lots) for _, _, price, lots in cells if lots)
    assert np.array_equal(np.nonzero(deltas.last)[0], np.append(np.nonzero(np.diff(rows))[0], len(rows) - 1))


def test_a_cross_has_no_aggressor_and_a_halt_is_no_trade(tmp_path):
    messages = np.array(
        [
            [34_200, 1, 1, 5, 100_000, 1],
            [34_201, 6, 0, 9, 100_000, -1],
            [34_202, 7, 0, 0, -1, -1],
            [34_203, 7, 0, 0, 0, -1],
        ]
    )
    rows = np.array([[9_999_999_999, 0, 100_000, 5]] * 4)
    read = read_day(find_days(write_day(tmp_path, messages, rows))[0])
    assert read.trades().aggressor.tolist() == [Side.NONE]
    assert not read.rebuild().mismatched.any()


@pytest.mark.parametrize(
    ("row", "column", "value", "said"),
    [
        (3, 0, 1.0, "row 4, column time: runs backwards"),
        (0, 0, -1.0, "row 1, column time: must be seconds"),
        (2, 1, 9, "row 3, column type"),
        (1, 3, -5, "row 2, column size"),
        (1, 4, -100, "row 2, column price"),
        (1, 5, 0, "row 2, column direction"),
    ],
)
def test_wrong_messages_are_named_by_row_and_column(tmp_path, day, row, column, value, said):
    messages, rows = day
    messages[row, 1] = 1 if column != 1 else value
    messages[row, column] = value
    with pytest.raises(Invalid, match=said):
        read_day(find_days(write_day(tmp_path, messages, rows))[0])


def test_wrong_files_are_named(tmp_path, day):
    messages, rows = day
    with pytest.raises(Invalid, match="no such file"):
        find_days(tmp_path / "nowhere")
    with pytest.raises(Invalid, match="holds no LOBSTER files"):
        find_days(tmp_path)
    write_day(tmp_path, messages, rows[:-1])
    with pytest.raises(Invalid, match="rows, the messages"):
        read_day(find_days(tmp_path)[0])
    path = tmp_path / NAME.format("message", 3)
    path.write_text(path.read_text().replace(",1,", ",one,", 1))
    with pytest.raises(Invalid, match=r"row \d+, column type: 'one' is not a number"):
        read_day(find_days(tmp_path)[0])
    path.unlink()
    with pytest.raises(Invalid, match="has no message file"):
        find_days(tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"not a zip")
    with pytest.raises(Invalid, match=r"broken.zip"):
        find_days(tmp_path)
    assert not is_lobster(tmp_path / "nowhere")


def test_a_crossed_book_row_is_refused(tmp_path, day):
    messages, rows = day
    rows[5, 0], rows[5, 1], rows[5, 2], rows[5, 3] = 100_000, 1, 100_100, 1
    with pytest.raises(Invalid, match="row 6, column bid_price_1"):
        read_day(find_days(write_day(tmp_path, messages, rows))[0])
