"""Long work in steps: its own part runs on a thread, and it yields the kernels that it needs to whoever drives it.

So one piece of code trains within a node, where each kernel goes to the backend that measurements favour and between
two of them a job can end, and in a plain function, where everything runs here and now.
"""

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import msgspec

from nautilus.errors import TooManyRequests

if TYPE_CHECKING:
    from nautilus.accel import Accelerator
    from nautilus.accel.routed import RoutedKernel

PAUSE_SECONDS, PATIENCE = 0.25, 240


class Computation(msgspec.Struct, frozen=True):
    """A kernel and its arguments, to be run by the driver; `exact` ones in float64 alone."""

    kernel: "RoutedKernel[..., Any]"
    arguments: tuple[Any, ...]
    exact: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """What a kernel gave, and the backend it ran on."""

    value: Any
    backend: str


class _Finished(msgspec.Struct, frozen=True):
    result: Any


type Steps[R] = Generator[Computation, Outcome, R]


def run_here[R](steps: Steps[R]) -> R:
    """Drive the work to its end on this thread, kernels in their CPU form."""
    outcome: Outcome | None = None
    while not isinstance(step := _advance(steps, outcome), _Finished):
        outcome = Outcome(step.kernel(*step.arguments), step.kernel.default)
    result: R = step.result
    return result


async def run_on[R](accel: "Accelerator", steps: Steps[R]) -> R:
    """Drive the work to its end off the loop; a cancelled caller ends it at its next step.

    Where too much is waiting for the threads it waits PAUSE_SECONDS and asks again, PATIENCE times for each kernel.
    """
    outcome: Outcome | None = None
    while not isinstance(step := await accel.run(_advance, steps, outcome), _Finished):
        outcome = await _computed(accel, step)
    result: R = step.result
    return result


async def _computed(accel: "Accelerator", step: Computation) -> Outcome:
    compute = accel.compute_exactly if step.exact else accel.compute
    for tries in range(PATIENCE + 1):
        try:
            computed = await compute(step.kernel, *step.arguments)
        except TooManyRequests:
            if tries == PATIENCE:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return Outcome(computed.value, computed.backend)
    raise AssertionError("the last try returns or raises")


def _advance(steps: Steps[Any], outcome: Outcome | None) -> Computation | _Finished:
    """Run up to the next kernel. The end is a value: a future cannot carry StopIteration."""
    try:
        return next(steps) if outcome is None else steps.send(outcome)
    except StopIteration as stopped:
        return _Finished(stopped.value)
