"""The kernels that come with Nautilus, one idea a module. Nothing is loaded before `all_kernels` is called."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nautilus.accel.routed import RoutedKernel

MODULES = (
    "covariance",
    "dense_network",
    "elementwise",
    "implied_volatility",
    "matrix_product",
    "monte_carlo",
    "option_simulation",
    "options",
    "student_distribution",
)


def all_kernels() -> "tuple[RoutedKernel[..., Any], ...]":
    """Every routed kernel of these modules. Importing them takes a while: not on the loop of a running node."""
    from importlib import import_module
    from importlib.util import find_spec

    from nautilus.accel.routed import RoutedKernel

    names = [f"{__name__}.{module}" for module in MODULES]
    modules = [import_module(name) for name in names if find_spec(name) is not None]
    found = {id(item): item for module in modules for item in vars(module).values() if isinstance(item, RoutedKernel)}
    return tuple(sorted(found.values(), key=lambda kernel: kernel.name))
