"""`nautilus serve` as a user meets it: thirteen engines, moving numbers, a quiet log, a clean end, nonsense refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from tests.integration.served import served

EXAMPLES = int(os.environ.get("NAUTILUS_FUZZ_EXAMPLES", "6"))


def test_thirteen_engines_run_numbers_move_and_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        ready = server.get("/health/ready")["data"]
        assert ready["engines_running"] == 13
        assert "simulated" in ready["market_data"]
        validate(server.get("/openapi.json"))
        before = server.get("/engines")["data"]
        time.sleep(4)
        after = server.get("/engines")["data"]
        moved = {one["engine"] for one, two in zip(before, after, strict=True) if two["inputs"] > one["inputs"]}
        assert {"marketdata", "features", "vpin", "enhanced_vpin", "strategy", "risk", "portfolio"} <= moved
        assert [one["errors"] for one in after] == [0] * 13
        assert server.get("/marketdata/quotes")["quality"] == "simulated"
        started = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
        assert time.monotonic() - started < 5
        output = server.output.read_text()
    warnings = [line for line in output.splitlines() if '"level": "warning"' in line or '"level": "error"' in line]
    assert [line for line in warnings if "engine.slow_start" not in line] == []  # that one says the machine is busy
    assert "Traceback" not in output
    assert "simulated" in output
    assert output.rstrip().endswith("Stopped.")


def test_a_port_in_use_and_a_foreign_address_are_told_in_one_line(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        port = server.port
        command = [sys.executable, "-m", "nautilus", "serve", "--data-dir", str(tmp_path / "other")]
        busy = subprocess.run([*command, "--port", str(port)], capture_output=True, text=True, timeout=60, check=False)
        same = [sys.executable, "-m", "nautilus", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
        locked = subprocess.run(same, capture_output=True, text=True, timeout=60, check=False)
        wide = subprocess.run([*command, "--host", "0.0.0.0"], capture_output=True, text=True, timeout=60, check=False)
    for result, says in ((busy, "Address already in use"), (locked, "in use by another Nautilus"), (wide, "loopback")):
        assert result.returncode == 1
        assert says in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.timeout(600)
def test_no_request_made_from_the_document_is_answered_with_500(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        time.sleep(3)
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"http://127.0.0.1:{server.port}/openapi.json",
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            str(EXAMPLES),
            "--seed",
            "20261122",
            "--request-timeout",
            "30",
        ]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=580,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "200"},
        )
        assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
        assert server.get("/health/ready")["data"]["engines_running"] == 13
        assert "Traceback" not in server.output.read_text()
