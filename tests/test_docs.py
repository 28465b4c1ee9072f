"""The documentation is true: every page's code runs, every link leads somewhere, generated pages are up to date.

Blocks of one page share a namespace and an event loop, in order. ```python runs. ```python NAME.py and ```toml NAME
are files that the code finds; a pyproject.toml is installed, so that its entry points are plugins. ```sh must name make
targets, commands and options that exist. ```text is an illustration.
"""

import ast
import asyncio
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from inspect import CO_COROUTINE
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

import click
import pytest

import docs
from nautilus.cli import main as command_line
from nautilus.config import NodeConfig, load_config
from nautilus.configuration_reference import as_markdown, as_toml, options
from nautilus.engines import registry

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(?P<language>\w*) ?(?P<name>[\w.\-]*)\n(?P<source>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
LANGUAGES = {"python", "toml", "sh", "text"}


class Block(NamedTuple):
    """A fenced block; `line` is where its source begins."""

    language: str
    name: str
    source: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(match["language"], match["name"], match["source"], text.count("\n", 0, match.start("source")) + 1)
        for match in FENCE.finditer(text)
    ]


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


# -- code ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder a reader works in: empty, importable, where nothing has been installed yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)
    forget_plugins()
    yield tmp_path
    forget_plugins()
    for name in set(sys.modules) - known:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(tmp_path):
            del sys.modules[name]


def forget_plugins() -> None:
    """Let the next look-up of plugins search the installed packages again, as a fresh process does."""
    registry.engine_type.cache_clear()
    for cached in vars(registry).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    importlib.invalidate_caches()


def write_files(blocks: list[Block], folder: Path) -> None:
    for block in blocks:
        if block.name:
            (folder / block.name).write_text(block.source, encoding="utf-8")
        if block.name == "pyproject.toml":
            install(tomllib.loads(block.source)["project"], folder)


def install(project: dict[str, dict[str, dict[str, str]]], folder: Path) -> None:
    """What `pip install --editable` leaves behind that matters here: metadata with the entry points."""
    metadata = folder / f"{str(project['name']).replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\n", encoding="utf-8")
    groups = (
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in points.items())
        for group, points in project["entry-points"].items()
    )
    (metadata / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")


def compiled(block: Block, page: Path) -> CodeType:
    """The block with the page's own line numbers, so that a failure names the line of the page."""
    tree = ast.increment_lineno(ast.parse(block.source, name_of(page)), block.line - 1)
    code: CodeType = compile(tree, name_of(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return code


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_code_of_the_page_runs(page: Path, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = blocks_of(page)
    write_files(blocks, reader)
    module = ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with asyncio.Runner() as runner:
        for block in blocks:
            if block.language != "python" or block.name:
                continue
            result = eval(code := compiled(block, page), module.__dict__)
            if code.co_flags & CO_COROUTINE:
                runner.run(result)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_the_page_is_of_a_kind_that_is_checked(page: Path) -> None:
    fences = page.read_text(encoding="utf-8").count("```")
    assert fences == 2 * len(blocks_of(page))
    assert {block.language for block in blocks_of(page)} <= LANGUAGES


def test_every_page_about_code_has_code_that_runs() -> None:
    without = {name_of(page) for page in PAGES if not any(block.language == "python" for block in blocks_of(page))}
    assert without == {"docs/configuration.md"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_shell_commands_of_the_page_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for block in blocks_of(page):
        for line in block.source.splitlines() if block.language == "sh" else []:
            program, *arguments = line.partition("#")[0].split()
            if program == "make":
                assert arguments[0] in targets, line
            elif program == "python":
                assert (REPOSITORY / arguments[0]).exists(), line
            else:
                assert program == "nautilus", line
                check_command(line, arguments)


def check_command(line: str, arguments: list[str]) -> None:
    command: click.Command = command_line
    while isinstance(command, click.Group) and (arguments or not command.invoke_without_command):
        found = command.commands.get(arguments.pop(0))
        assert found is not None, line
        command = found
    known = {name for parameter in command.params for name in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("-")} <= known, line


# -- links -----------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_of_the_page_leads_somewhere(page: Path) -> None:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(prose):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = set(LINK.findall(PAGES[0].read_text(encoding="utf-8")))
    assert {name_of(page) for page in PAGES[1:]} <= linked


# -- generated from the types ----------------------------------------------------------------------------------------


@pytest.fixture
def defaults() -> NodeConfig:
    return load_config(environment={})


def test_the_configuration_page_is_up_to_date(defaults: NodeConfig) -> None:
    assert docs.CONFIGURATION.read_text(encoding="utf-8") == as_markdown(defaults), "run `make docs`"


def test_default_toml_is_up_to_date(defaults: NodeConfig) -> None:
    assert docs.DEFAULT_TOML.read_text(encoding="utf-8") == as_toml(defaults), "run `make docs`"


def test_default_toml_loads_and_equals_the_defaults(defaults: NodeConfig) -> None:
    assert list(options(load_config(docs.DEFAULT_TOML, environment={}))) == list(options(defaults))


def test_every_option_says_what_it_means(defaults: NodeConfig) -> None:
    assert [f"{option.section}.{option.key}" for option in options(defaults) if not option.description] == []
