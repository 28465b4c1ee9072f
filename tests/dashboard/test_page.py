"""The page is plain files that ask nothing of the outside, and its parts fit together."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "nautilus" / "dashboard"
SCRIPTS = sorted(PAGE.glob("*.js"))
LINES_MAX = 420
BYTES_MAX = 120_000


class Elements(HTMLParser):
    """Collects tags and text of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.inline += data.strip()


@pytest.fixture
def page() -> Elements:
    elements = Elements()
    elements.feed((PAGE / "index.html").read_text())
    return elements


def test_nothing_is_inline_so_that_the_strict_policy_holds(page: Elements) -> None:
    assert page.inline == ""
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag


def test_everything_comes_from_this_server_and_is_there(page: Elements) -> None:
    for _, attributes in page.tags:
        for name in ("src", "href"):
            target = attributes.get(name)
            if target is not None:
                assert target.startswith("/")
                assert not target.startswith("//")
                if target.startswith("/dashboard/"):
                    assert (PAGE / target.removeprefix("/dashboard/")).is_file()
    for file in PAGE.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|url\(", text), file.name


def test_scripts_find_every_element_they_ask_for(page: Elements) -> None:
    there = {attributes["id"] for _, attributes in page.tags if attributes.get("id")}
    for script in SCRIPTS:
        asked = set(re.findall(r'\$\("([\w-]+)"\)', script.read_text()))
        assert asked <= there, script.name


def test_every_imported_name_is_exported() -> None:
    for script in SCRIPTS:
        for names, source in re.findall(r'import \{([^}]+)\} from "\./([\w.]+)"', script.read_text()):
            exported = set(re.findall(r"export (?:async )?(?:function|class|const) (\w+)", (PAGE / source).read_text()))
            assert {name.strip() for name in names.split(",")} <= exported, script.name


def test_nothing_from_the_server_becomes_markup() -> None:
    for script in SCRIPTS:
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", script.read_text())


def test_the_page_stays_small() -> None:
    assert sum(file.stat().st_size for file in PAGE.iterdir() if file.is_file()) < BYTES_MAX
    for script in SCRIPTS:
        assert script.read_text().count("\n") <= LINES_MAX, script.name


def test_the_scripts_pass_their_own_tests() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    tests = Path(__file__).parent / "page.test.mjs"
    done = subprocess.run([node, "--test", str(tests)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
