"""The file of measurements: whole or absent, of this machine or not used, extended by what is measured anew."""

import multiprocessing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nautilus.accel.measurements import (
    Machine,
    Measurements,
    Point,
    default_path,
    difference,
    load,
    merged,
    save,
    this_machine,
)
from nautilus.errors import StoreError

HERE = Machine(cpu="A CPU", processors=2, system="Linux x86_64", versions={"numpy": "2.3"})


def found(kernels: Any = None, machine: Machine = HERE) -> Measurements:
    table = kernels or {"one": {"numpy": [Point(size=10, seconds=1e-6), Point(size=20, seconds=2e-6)]}}
    return Measurements(machine=machine, measured="2026-01-01T00:00:00+00:00", kernels=table)


def test_what_is_saved_is_loaded_and_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "calibration.json"
    assert load(path) is None
    save(found(), path)
    save(found(), path)
    assert load(path) == found()
    assert [file.name for file in path.parent.iterdir()] == ["calibration.json"]


def write_often(path: Path, count: int) -> None:
    for _ in range(count):
        save(found(), path)


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    save(found(), path)
    writers = [multiprocessing.get_context("spawn").Process(target=write_often, args=(path, 30)) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert load(path) == found()
    assert [writer.exitcode for writer in writers] == [0, 0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot read"),
        ("[]", "cannot read"),
        ('{"machine": {}}', "cannot read"),
    ],
)
def test_a_file_that_is_not_one_of_ours_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(StoreError, match=reason):
        load(path)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (msgspec.structs.replace(found(), format=2), "has format 2, not 1"),
        (found({"one": {"numpy": []}}), "sizes of one that do not rise"),
        (found({"one": {"numpy": [Point(size=5, seconds=1.0), Point(size=5, seconds=1.0)]}}), "do not rise"),
        (found({"one": {"numpy": [Point(size=5, seconds=0.0)]}}), "cannot read"),
        (found({"one": {"numpy": [Point(size=0, seconds=1.0)]}}), "cannot read"),
    ],
)
def test_numbers_that_the_router_could_not_use_are_refused(tmp_path: Path, changed: Measurements, reason: str) -> None:
    path = tmp_path / "calibration.json"
    save(changed, path)
    with pytest.raises(StoreError, match=reason):
        load(path)


def test_a_folder_that_cannot_be_written_is_an_error_of_storage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot write the calibration"):
        save(found(), tmp_path / "file" / "calibration.json")


def test_what_cannot_take_its_place_is_not_left_lying_about(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.mkdir()
    with pytest.raises(StoreError, match="cannot write the calibration"):
        save(found(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["calibration.json"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cpu": "Another"}, "cpu: measured with A CPU, now Another"),
        ({"processors": 4}, "processors"),
        ({"system": "Darwin arm64"}, "system"),
        ({"versions": {"numpy": "2.4"}}, "versions"),
        ({"device": "Apple GPU"}, ""),
        ({}, ""),
    ],
)
def test_another_machine_is_told_apart(change: dict[str, Any], says: str) -> None:
    assert difference(HERE, msgspec.structs.replace(HERE, **change)).startswith(says)
    assert bool(difference(HERE, msgspec.structs.replace(HERE, **change))) == bool(says)


def test_this_machine_is_itself() -> None:
    here = this_machine()
    assert difference(here, msgspec.structs.replace(here, device="a device")) == ""
    assert here.processors >= 1
    assert {"numpy", "numba"} <= set(here.versions)


def test_what_is_measured_anew_replaces_and_the_rest_stays() -> None:
    old = found({"one": {"numpy": [Point(size=1, seconds=1.0)], "numba": [Point(size=1, seconds=2.0)]}})
    new = found({"one": {"numpy": [Point(size=1, seconds=3.0)]}, "two": {"numpy": [Point(size=1, seconds=4.0)]}})
    both = merged(old, new)
    assert both.kernels["one"]["numpy"][0].seconds == 3.0
    assert both.kernels["one"]["numba"][0].seconds == 2.0
    assert "two" in both.kernels
    assert merged(None, new) == new
    elsewhere = found(machine=msgspec.structs.replace(HERE, cpu="Another"))
    assert merged(elsewhere, new) == new


def test_measurements_without_mlx_do_not_forget_the_device_and_those_of_another_device_do() -> None:
    gpu, other = (msgspec.structs.replace(HERE, device=name) for name in ("GPU", "another GPU"))
    assert merged(found(machine=gpu), found()).machine.device == "GPU"
    assert merged(found(), found(machine=gpu)).machine.device == "GPU"
    assert merged(found({"old": {}}, machine=gpu), found(machine=other)).kernels.keys() == {"one"}


def test_the_default_place_follows_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "nautilus" / "calibration.json"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_path() == Path.home() / ".cache" / "nautilus" / "calibration.json"
