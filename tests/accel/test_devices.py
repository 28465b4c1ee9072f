"""Device discovery says what there is, what is not proven, and why something does not work."""

import importlib.util
import platform
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from nautilus.accel import Device, discover
from nautilus.accel.devices import mlx_device


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


def test_without_mlx_there_is_the_reason_why(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mlx" else real(name))
    device = by_backend(discover(load_mlx=True))["mlx"]
    assert (device.available, device.description) == (False, "not installed")
    assert "pip install mlx" in device.reason or "glibc" in device.reason or "Intel" in device.reason


def test_an_old_glibc_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.31"))
    assert mlx_device(load=False).reason == "MLX's wheels need glibc 2.35, this is 2.31"


def test_names_and_memory_are_what_mlx_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    core = core_with(metal=False, gpu=True)
    core.device_info = lambda: {"device_name": "NVIDIA H200", "total_memory": 150_000_000_000}
    with_mlx(monkeypatch, core)
    device = mlx_device(load=True)
    assert (device.description, device.memory_bytes) == ("NVIDIA GPU: NVIDIA H200", 150_000_000_000)
    assert not device.float64


def test_an_older_mlx_tells_of_metal_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    core = core_with(metal=True, gpu=True)
    core.metal.device_info = lambda: {"device_name": "Apple M4 Max", "memory_size": 64_000_000_000}
    with_mlx(monkeypatch, core)
    device = mlx_device(load=True)
    assert (device.description, device.memory_bytes) == ("Apple GPU: Apple M4 Max", 64_000_000_000)


def test_mlx_as_it_is_installed_here_loads_and_says_what_it_is() -> None:
    pytest.importorskip("mlx.core")
    device = mlx_device(load=True)
    assert device.available
    assert device.memory_bytes > 1 << 28
    assert device.float64 == (device.kind == "cpu")
