"""Acceleration: devices, threads for work that would block the loop, kernels compiled ahead, routed by measurement."""

from nautilus.accel.accelerator import Accelerator, Calibrated, Compilation
from nautilus.accel.device_memory import DeviceMemory
from nautilus.accel.devices import Device, discover
from nautilus.accel.routed import Backend, Computed, RoutedKernel, Work, routed
from nautilus.accel.router import Choice, Router

__all__ = [
    "Accelerator",
    "Backend",
    "Calibrated",
    "Choice",
    "Compilation",
    "Computed",
    "Device",
    "DeviceMemory",
    "RoutedKernel",
    "Router",
    "Work",
    "discover",
    "routed",
]
