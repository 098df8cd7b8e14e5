"""The documentation builds as a site that needs no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\ssrc=[\"']?(?P<source>[^\"'\s>]+)"
    r"|<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|preload|prefetch|preconnect|icon|modulepreload))[^>]*\shref=[\"']?(?P<link>[^\"'\s>]+)"
    r"|url\([\"']?(?P<url>[^\"')]+)|@import\s+[\"'](?P<style>[^\"']+)"
)
"""What a browser loads when it opens a page or its style sheets."""


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build the site that `config` describes, as `make docs` does."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", config, "--site-dir", site],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )


class SilentHandler(SimpleHTTPRequestHandler):
    """Serves the files of a folder, and logs no requests."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Serve the site on this machine, and return its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SilentHandler, directory=site)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the documentation, and return the folder of the site."""
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT / "mkdocs.yml", folder)
    assert built.returncode == 0, built.stderr
    return folder


def test_each_page_is_on_the_site(site: Path) -> None:
    """A strict build succeeds, and every Markdown file of docs/ becomes a page."""
    pages = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    assert len(pages) > 20
    assert [page for page in pages if not (site / _as_built(page)).is_file()] == []


def _as_built(page: Path) -> Path:
    return page.with_name("index.html") if page.stem == "README" else page


def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    """Opening a page loads scripts, styles, fonts and images from the site itself only."""
    loaded = [
        (file.name, next(source for source in match.groups() if source))
        for pattern in ("*.html", "*.css")
        for file in site.rglob(pattern)
        for match in LOADED.finditer(file.read_text("utf-8"))
    ]
    assert len(loaded) > 50
    assert [(file, source) for file, source in loaded if re.match(r"(https?:)?//", source)] == []


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.xdist_group("browser")
def test_a_browser_asks_no_other_host(site: Path, address: str, chromium: str) -> None:
    """A browser that opens every page, and searches, sends each request to the site itself."""
    requests: list[str] = []
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        for file in sorted(site.rglob("*.html")):
            page.goto(f"{address}{file.relative_to(site)}", wait_until="load")
        page.goto(address)
        page.get_by_placeholder("Search").fill("hash chain")
        page.locator(".md-search-result__item").first.wait_for()
        browser.close()
    assert len(requests) > 50
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []
    assert errors == []


TEXTS = """() => {
  const size = document.documentElement.viewBox.baseVal;
  const texts = [...document.querySelectorAll("text")].map((text) => [text.textContent, text.getBBox()]);
  const boxes = [...document.querySelectorAll("rect")].map((box) => box.getBBox());
  const faults = [];
  texts.forEach(([text, at], n) => {
    const right = at.x + at.width, bottom = at.y + at.height, middle = at.y + at.height / 2;
    if (at.x < 2 || at.y < 2 || right > size.width - 2 || bottom > size.height - 2) faults.push(`outside: ${text}`);
    for (const [other, to] of texts.slice(n + 1)) {
      const width = Math.min(right, to.x + to.width) - Math.max(at.x, to.x);
      const height = Math.min(bottom, to.y + to.height) - Math.max(at.y, to.y);
      if (width > 0 && height > 3) faults.push(`${text} overlaps ${other}`);
    }
    for (const box of boxes) {
      const level = middle > box.y && middle < box.y + box.height;
      const inBox = Math.min(right, box.x + box.width) - Math.max(at.x, box.x);
      if (level && inBox > 0 && inBox < at.width) faults.push(`${text} crosses the edge of a box`);
    }
  });
  return faults;
}"""
"""Returns what is wrong with the place of each text of an SVG picture."""


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_no_text_of_a_picture_is_cut_or_overlaps(chromium: str) -> None:
    """Each text of each picture is inside the picture, crosses no edge of a box, and overlaps no other text."""
    faults = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        for picture in sorted((ROOT / "docs" / "images").glob("*.svg")):
            page.goto(picture.as_uri())
            faults[picture.name] = page.evaluate(TEXTS)
        browser.close()
    assert len(faults) > 5
    assert {name: texts for name, texts in faults.items() if texts} == {}


def test_no_page_makes_the_theme_load_a_library(site: Path) -> None:
    """The theme loads Mermaid from a host as soon as a page has an element of this class; no page has one."""
    pages = [
        file.name
        for file in site.rglob("*.html")
        if re.search(r"class=[\"']?mermaid\b", file.read_text("utf-8"))
    ]
    assert pages == []


def build_page(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Build a site of one page with the project's own configuration."""
    hook = folder / "docs" / "hooks" / "repository_links.py"
    hook.parent.mkdir(parents=True)
    hook.write_bytes((ROOT / hook.relative_to(folder)).read_bytes())
    (folder / "docs" / "index.md").write_text(f"# Title\n\n{text}\n", "utf-8")
    (folder / "mkdocs.yml").write_text(f"INHERIT: {ROOT / 'mkdocs.yml'}\nnav: [index.md]\n", "utf-8")
    return build(folder / "mkdocs.yml", folder / "site")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[the errors](../core/errors.py)", "the repository has no such file"),
        ("[a page](missing.md)", "is not found among documentation files"),
        ("[a heading](#missing)", "there is no such anchor"),
    ],
)
def test_a_broken_link_fails_the_build(tmp_path: Path, text: str, reason: str) -> None:
    """A link to a file, page or heading that does not exist fails the build, and the message states why."""
    built = build_page(tmp_path, text)
    assert built.returncode == 1
    assert reason in built.stderr
    assert built.stderr.count("WARNING") == 1


def test_a_link_to_a_source_file_becomes_its_path(tmp_path: Path) -> None:
    """On the site, a link to a file of the repository is its text and the file's path."""
    built = build_page(tmp_path, "See [the build](../mkdocs.yml).")
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "See the build (<code>mkdocs.yml</code>)." in page
