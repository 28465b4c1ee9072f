"""Nothing heavy is imported before it is needed: `import nautilus` and `nautilus --help` answer at once."""

import subprocess
import sys

import pytest

HEAVY = ("numba", "polars", "numpy", "uvicorn", "starlette", "redis", "scipy", "lightgbm", "asyncpg", "mlx")


def imported_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(','.join(name for name in {HEAVY} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return set(filter(None, result.stdout.splitlines()[-1].split(",")))


@pytest.mark.parametrize(
    "code",
    [
        "import nautilus; nautilus.__version__",
        "import nautilus; nautilus.load_config(environment={})",
        "from nautilus.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from nautilus.cli import main\ntry: main(['serve', '--help'])\nexcept SystemExit: pass",
        "from nautilus.cli import main\ntry: main(['serve', '--speed', '2'])\nexcept SystemExit: pass\nprint()",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str) -> None:
    assert imported_by(code) == set()


def test_the_embedded_names_are_there_when_they_are_asked_for() -> None:
    import nautilus

    assert nautilus.Node.__name__ == "Node"
    assert nautilus.load_config.__name__ == "load_config"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = nautilus.nonsense
