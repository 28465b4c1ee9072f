"""Device discovery says what there is, what is not proven, and why something does not work."""

import importlib.util
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from nautilus.accel import Device, discover


def by_backend(devices: list[Device]) -> dict[str, Device]:
    return {device.backend: device for device in devices}


def with_mlx(monkeypatch: pytest.MonkeyPatch, core: Any) -> None:
    package = ModuleType("mlx")
    package.core = core  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlx", package)
    monkeypatch.setitem(sys.modules, "mlx.core", core)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def core_with(*, metal: bool, gpu: bool) -> Any:
    made = ModuleType("mlx.core")
    made.metal = SimpleNamespace(is_available=lambda: metal)  # type: ignore[attr-defined]
    made.gpu = "gpu"  # type: ignore[attr-defined]
    made.default_device = lambda: "gpu" if gpu else "cpu"  # type: ignore[attr-defined]
    return made


def test_numpy_and_numba_are_always_there() -> None:
    found = by_backend(discover())
    assert found["numpy"].available
    assert found["numba"].available


def test_mlx_that_was_not_loaded_is_not_called_available(monkeypatch: pytest.MonkeyPatch) -> None:
    with_mlx(monkeypatch, core_with(metal=True, gpu=True))
    assert not by_backend(discover())["mlx"].available


@pytest.mark.parametrize(
    ("metal", "gpu", "kind"), [(True, True, "metal"), (False, True, "cuda"), (False, False, "cpu")]
)
def test_loaded_mlx_says_what_it_runs_on(monkeypatch: pytest.MonkeyPatch, metal: bool, gpu: bool, kind: str) -> None:
    with_mlx(monkeypatch, core_with(metal=metal, gpu=gpu))
    device = by_backend(discover(load_mlx=True))["mlx"]
    assert (device.available, device.kind) == (True, kind)


def test_mlx_that_does_not_load_gives_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    with_mlx(monkeypatch, core_with(metal=False, gpu=False))
    monkeypatch.setitem(sys.modules, "mlx.core", None)
    device = by_backend(discover(load_mlx=True))["mlx"]
    assert not device.available
    assert "mlx.core" in device.reason


def test_without_mlx_there_is_no_such_device(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mlx" else real(name))
    assert "mlx" not in by_backend(discover(load_mlx=True))
