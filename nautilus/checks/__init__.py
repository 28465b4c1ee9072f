"""Conformance suites: what every plugin must do, ours and anybody's. Run them in your own tests."""

from nautilus.checks.engines import ENGINE_CHECKS, check_engine
from nautilus.checks.kernels import check_kernel, check_routed_kernel

__all__ = ["ENGINE_CHECKS", "check_engine", "check_kernel", "check_routed_kernel"]
