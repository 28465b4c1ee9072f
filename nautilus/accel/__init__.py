"""Acceleration: what the machine has, threads for work that would block the loop, kernels compiled ahead of need."""

from nautilus.accel.accelerator import Accelerator, Compilation
from nautilus.accel.devices import Device, discover

__all__ = ["Accelerator", "Compilation", "Device", "discover"]
