"""Device discovery: which array backends this machine really has, with their names and memory."""

import importlib.util
import os
import platform
import sys
from typing import Any, Literal

import msgspec

from nautilus.accel.full_precision import import_mlx
from nautilus.accel.measurements import cpu_name

Kind = Literal["cpu", "metal", "cuda"]
LEAST_GLIBC = (2, 35)
"""What MLX's Linux wheels need."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A backend. `available` is False, with the reason, where it is missing, not loaded or does not work.

    `memory_bytes` is what the device has, 0 where it does not say; `float64` whether it has that type.
    """

    backend: Literal["numpy", "numba", "mlx"]
    kind: Kind
    description: str
    available: bool
    reason: str = ""
    memory_bytes: int = 0
    float64: bool = True


def discover(*, load_mlx: bool = False) -> list[Device]:
    """The backends of this machine. MLX is only imported, and so proven, with `load_mlx` (it takes a second)."""
    cpu = f"{cpu_name()}, {os.cpu_count()} logical processors"
    memory = _physical_memory()
    return [
        Device(backend="numpy", kind="cpu", description=cpu, available=True, memory_bytes=memory),
        Device(backend="numba", kind="cpu", description=cpu, available=True, memory_bytes=memory),
        mlx_device(load=load_mlx),
    ]


def mlx_device(*, load: bool) -> Device:
    """What MLX runs on. Loaded on the device thread, which is to use it."""
    if importlib.util.find_spec("mlx") is None:
        return _without_mlx("not installed", _why_not_installed())
    if not load:
        return _without_mlx("installed, not loaded", "not loaded")
    try:
        return _found(import_mlx())
    except (ImportError, AttributeError, RuntimeError) as error:
        return _without_mlx("does not load", str(error))


def _found(mx: Any) -> Device:
    gpu = mx.default_device() == mx.gpu
    kind: Kind = "metal" if mx.metal.is_available() else "cuda" if gpu else "cpu"
    facts = _facts(mx)
    names = {"metal": "Apple GPU", "cuda": "NVIDIA GPU", "cpu": "CPU only"}
    name = str(facts.get("device_name") or "")
    memory = int(facts.get("memory_size") or facts.get("total_memory") or 0)
    return Device(
        backend="mlx",
        kind=kind,
        description=f"{names[kind]}: {name}" if name else names[kind],
        available=True,
        memory_bytes=memory or (_physical_memory() if kind != "cuda" else 0),
        float64=kind == "cpu",
    )


def _facts(mx: Any) -> dict[str, Any]:
    """What MLX tells of its device; where that stands differs between its versions."""
    tell = getattr(mx, "device_info", None) or getattr(mx.metal, "device_info", None)
    try:
        return dict(tell()) if tell else {}
    except RuntimeError:
        return {}


def _without_mlx(description: str, reason: str) -> Device:
    return Device(backend="mlx", kind="cpu", description=description, available=False, reason=reason)


def _why_not_installed() -> str:
    if sys.platform == "darwin" and platform.machine() != "arm64":
        return "MLX has no version for Intel Macs"
    library, version = platform.libc_ver()
    if library == "glibc" and tuple(int(part) for part in version.split(".")[:2]) < LEAST_GLIBC:
        return f"MLX's wheels need glibc {'.'.join(map(str, LEAST_GLIBC))}, this is {version}"
    return "pip install mlx, or mlx[cuda13] for an NVIDIA GPU"


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
