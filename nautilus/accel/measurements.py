"""Measured times of kernels on one machine, and the file that keeps them."""

import os
import platform
import tempfile
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nautilus.accel.routed import Backend
from nautilus.errors import StoreError

FORMAT = 1
_VERSIONS = ("nautilus", "numpy", "numba", "mlx")


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """The best time of a call at a size, and how many calls were timed."""

    size: Annotated[int, Meta(ge=1)]
    seconds: Annotated[float, Meta(gt=0.0)]
    calls: int = 1


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What measurements depend on. `device` is the one MLX runs on and what kind; empty where it was not measured."""

    cpu: str
    processors: int
    system: str
    versions: dict[str, str]
    device: str = ""
    device_kind: Literal["", "cpu", "metal", "cuda"] = ""

    @property
    def never_chosen(self) -> frozenset[Backend]:
        """Backends that are measured for comparison alone: on a processor MLX's float32 would gain nothing."""
        return frozenset({"mlx"}) if self.device_kind == "cpu" else frozenset()


class Measurements(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on a machine: seconds by kernel, backend and size; sizes rise. `measured` is ISO 8601, UTC."""

    machine: Machine
    measured: str
    kernels: dict[str, dict[Backend, list[Point]]]
    format: int = FORMAT


def this_machine() -> Machine:
    """The machine that this runs on, without MLX's device. Reads files: not on the loop."""
    versions = {}
    for name in _VERSIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return Machine(
        cpu=cpu_name(),
        processors=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        versions=versions,
    )


def cpu_name() -> str:
    """The processor's model, as the system calls it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def difference(measured: Machine, present: Machine) -> str:
    """Why measurements of one machine do not hold on another, or "". The device is looked at when MLX is loaded."""
    for field in ("cpu", "processors", "system", "versions"):
        then, now = getattr(measured, field), getattr(present, field)
        if then != now:
            return f"{field}: measured with {then}, now {now}"
    return ""


def merged(old: Measurements | None, new: Measurements) -> Measurements:
    """New measurements and, where they are of the same machine, the old ones of what was not measured again."""
    if old is None or difference(old.machine, new.machine):
        return new
    with_device = [machine for machine in (new.machine, old.machine) if machine.device]
    if len({(machine.device, machine.device_kind) for machine in with_device}) > 1:
        return new
    kernels = {name: old.kernels.get(name, {}) | new.kernels.get(name, {}) for name in old.kernels | new.kernels}
    return msgspec.structs.replace(new, machine=(with_device or [new.machine])[0], kernels=kernels)


def default_path() -> Path:
    """Where measurements are kept: they belong to the machine and the user, not to a node's data."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nautilus" / "calibration.json"


def save(measurements: Measurements, path: Path) -> None:
    """Write the file whole or not at all. Raises StoreError where the disk refuses."""
    data = msgspec.json.format(msgspec.json.encode(measurements), indent=1)
    written: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".new", delete=False) as file:
            written = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)
    except OSError as error:
        if written is not None:
            written.unlink(missing_ok=True)
        raise StoreError(f"cannot write the calibration {path}: {error}") from error


def load(path: Path) -> Measurements | None:
    """Read the file; None where there is none. Raises StoreError where it cannot be read or is not one of ours."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Measurements)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise StoreError(f"cannot read the calibration {path}: {error}") from error
    if found.format != FORMAT:
        raise StoreError(f"the calibration {path} has format {found.format}, not {FORMAT}")
    for name, row in found.kernels.items():
        if not all(points and _rising(points) for points in row.values()):
            raise StoreError(f"the calibration {path} has sizes of {name} that do not rise")
    return found


def _rising(points: list[Point]) -> bool:
    return all(before.size < after.size for before, after in pairwise(points))
