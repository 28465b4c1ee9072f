"""Device discovery: which array backends this machine really has."""

import importlib.util
import os
import platform
from typing import Literal

import msgspec


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A backend that was found. `available` is False, with the reason, where it is installed but does not work."""

    backend: Literal["numpy", "numba", "mlx"]
    kind: Literal["cpu", "metal", "cuda"]
    description: str
    available: bool
    reason: str = ""


def discover(*, load_mlx: bool = False) -> list[Device]:
    """The backends of this machine. MLX is only imported, and so proven, with `load_mlx` (it takes a second)."""
    cpu = f"{platform.processor() or platform.machine()}, {os.cpu_count()} logical processors"
    devices = [
        Device(backend="numpy", kind="cpu", description=cpu, available=True),
        Device(backend="numba", kind="cpu", description=cpu, available=True),
    ]
    if importlib.util.find_spec("mlx") is not None:
        devices.append(_mlx(load_mlx))
    return devices


def _mlx(load: bool) -> Device:
    if not load:
        return Device(
            backend="mlx", kind="cpu", description="installed, not loaded", available=False, reason="not loaded"
        )
    try:
        import mlx.core as mx

        if mx.metal.is_available():
            return Device(backend="mlx", kind="metal", description="Apple GPU", available=True)
        if mx.default_device() == mx.gpu:
            return Device(backend="mlx", kind="cuda", description="NVIDIA GPU", available=True)
    except (ImportError, AttributeError, RuntimeError) as error:
        return Device(backend="mlx", kind="cpu", description="does not load", available=False, reason=str(error))
    return Device(backend="mlx", kind="cpu", description="CPU only", available=True)
