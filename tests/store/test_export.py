"""Export: whole files in three formats, nothing left of a refused one."""

from pathlib import Path

import polars as pl
import pytest

from nautilus.errors import Conflict, Invalid
from nautilus.store import DiskRefused, StoreError
from nautilus.store.export import export

FRAME = pl.DataFrame({"ts_event": list(range(1000)), "price": [0.1 * number for number in range(1000)]})
READERS = {".csv": pl.read_csv, ".parquet": pl.read_parquet, ".arrow": pl.read_ipc}


@pytest.mark.parametrize("suffix", READERS)
def test_what_is_exported_reads_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    seen: list[int] = []
    assert export(FRAME.lazy(), path, progress=seen.append) == 1000
    assert seen[-1] == 1000
    assert READERS[suffix](path).equals(FRAME)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with pytest.raises(Conflict, match="there already"):
        export(FRAME.lazy(), path)
    assert path.read_text() == "mine"
    assert export(FRAME.lazy(), path, overwrite=True) == 1000


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="must end in one of"):
        export(FRAME.lazy(), tmp_path / "out.xlsx")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DiskRefused, match="No such file"):
        export(FRAME.lazy(), tmp_path / "nowhere" / "out.csv")


@pytest.mark.parametrize("suffix", READERS)
def test_nothing_is_left_of_an_export_that_failed(tmp_path: Path, suffix: str) -> None:
    broken = FRAME.lazy().with_columns(pl.col("ts_event").map_batches(_fail, return_dtype=pl.Int64))
    with pytest.raises(StoreError, match="could not be written"):
        export(broken, tmp_path / f"out{suffix}")
    assert list(tmp_path.iterdir()) == []


def _fail(_: pl.Series) -> pl.Series:
    raise OSError(28, "No space left on device")
