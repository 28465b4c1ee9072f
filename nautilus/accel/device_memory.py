"""Memory that MLX holds on its device: bounded when MLX is loaded, reported, given back when a call fails."""

import msgspec

from nautilus.accel.full_precision import import_mlx

CACHE_BYTES = 256 * 1024 * 1024
"""Most memory that MLX keeps for reuse after arrays are gone."""


class DeviceMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes: of live arrays, at most so far, kept for reuse, and the bounds (0: MLX's own bound)."""

    active: int
    peak: int
    cached: int
    cache_limit: int
    memory_limit: int


def set_limits(cache_bytes: int, memory_bytes: int) -> None:
    """Bound what MLX keeps for reuse and, unless 0, what it takes at all. On the device thread."""
    mx = import_mlx()
    mx.set_cache_limit(cache_bytes)
    if memory_bytes:
        mx.set_memory_limit(memory_bytes)


def memory_in_use(cache_bytes: int, memory_bytes: int) -> DeviceMemory:
    """What MLX holds now. On the device thread."""
    mx = import_mlx()
    return DeviceMemory(
        active=mx.get_active_memory(),
        peak=mx.get_peak_memory(),
        cached=mx.get_cache_memory(),
        cache_limit=cache_bytes,
        memory_limit=memory_bytes,
    )


def free_cache() -> None:
    """Give back what is kept for reuse. On the device thread."""
    import_mlx().clear_cache()
