"""Engines may use the package roots of one another, never the files inside."""

import ast
from pathlib import Path

import nautilus

ENGINES = Path(nautilus.__file__).parent / "engines"


def test_no_engine_imports_the_inside_of_another() -> None:
    offences = []
    for path in ENGINES.rglob("*.py"):
        own = path.relative_to(ENGINES).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [node.module]
                if isinstance(node, ast.ImportFrom) and node.module
                else [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            for name in names:
                parts = name.split(".")
                inside = parts[:2] == ["nautilus", "engines"] and len(parts) > 3
                if inside and parts[2] != own:
                    offences.append(f"{path.name}: {name}")
    assert not offences
