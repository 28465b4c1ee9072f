"""The `nautilus accel` commands: devices, measuring, showing what was measured, rates beside ceilings."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nautilus.accel import measurements
from nautilus.accel.ceiling import Ceiling
from nautilus.accel_commands import accel

KERNEL = "covariance.covariance_matrix"


def run(*args: str) -> Result:
    return CliRunner().invoke(accel, args)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calibration.json"


def test_without_a_command_it_shows_the_devices() -> None:
    result = run()
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line.split()[0] for line in lines] == ["numpy", "numba", "mlx"]
    assert "GiB" in lines[0]


def test_calibrating_writes_what_show_then_tells(path: Path) -> None:
    result = run("calibrate", "--kernel", KERNEL, "--budget", "0.001", "--output", str(path))
    assert result.exit_code == 0, result.output
    assert KERNEL in result.output
    assert f"Written to {path}" in result.output
    found = measurements.load(path)
    assert found is not None
    assert {"numpy", "numba"} <= set(found.kernels[KERNEL])
    shown = run("show", "--output", str(path))
    assert shown.exit_code == 0, shown.output
    assert f"{KERNEL}: " in shown.output
    assert " from " in shown.output
    assert "numba" in shown.output


def test_a_broken_file_is_replaced_by_calibrating(path: Path) -> None:
    path.write_text("{")
    assert run("calibrate", "--kernel", KERNEL, "--budget", "0.001", "--output", str(path)).exit_code == 0
    assert measurements.load(path) is not None


def test_show_says_when_nothing_is_measured(path: Path) -> None:
    result = run("show", "--output", str(path))
    assert result.exit_code == 1
    assert "run `nautilus accel calibrate`" in result.output


def test_show_says_when_the_measurements_are_of_another_machine(path: Path) -> None:
    machine = measurements.Machine(cpu="Another CPU", processors=1, system="", versions={})
    measurements.save(measurements.Measurements(machine=machine, measured="2026", kernels={}), path)
    assert "not used: cpu: measured with Another CPU" in run("show", "--output", str(path)).output


def test_bench_prints_rates_beside_the_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    ceiling = Ceiling(backend="numpy", flops_per_second=1e11, bytes_per_second=1e10)
    monkeypatch.setattr("nautilus.accel.ceiling.cpu_ceiling", lambda: ceiling)
    monkeypatch.setattr("nautilus.accel.ceiling.device_ceiling", lambda: ceiling)
    result = run("bench", "--kernel", KERNEL, "--budget", "0.001")
    assert result.exit_code == 0, result.output
    assert "ceiling of the CPU, float64: 100.0 GFLOP/s, 10.0 GB/s" in result.output
    rows = [line.split() for line in result.output.splitlines() if line.startswith(KERNEL)]
    assert {row[1] for row in rows} >= {"numpy", "numba"}
    assert all(row[-1].endswith("%") for row in rows)


@pytest.mark.parametrize(("load", "warned"), [(1000.0, True), (0.0, False)])
def test_calibrating_a_busy_machine_warns(
    monkeypatch: pytest.MonkeyPatch, path: Path, load: float, warned: bool
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load, load, load))
    result = run("calibrate", "--kernel", KERNEL, "--budget", "0.001", "--output", str(path))
    assert ("This machine is busy" in result.output) == warned


@pytest.mark.parametrize("args", [("calibrate", "--budget", "0"), ("bench", "--budget", "11"), ("calibrate", "extra")])
def test_wrong_options_are_refused(args: tuple[str, ...]) -> None:
    assert run(*args).exit_code == 2


def test_an_unknown_kernel_is_named() -> None:
    result = run("bench", "--kernel", "nothing")
    assert "no kernel 'nothing'" in str(result.exception)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from nautilus.accel_commands import accel; "
        "heavy = {'numpy', 'numba', 'mlx', 'polars'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
