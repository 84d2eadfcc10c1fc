"""The site builds without a warning, README is short, and no link of either leads nowhere; nothing is fetched from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browsers import Browser, skip_without_browser
from tests.docs.blocks import ROOT

LINK = re.compile(r"(?:\]\(|src=\")([^)\s\"]+)[)\"]")
CUT = """[
  ...[...document.querySelectorAll('.highlight:not(.language-text) code')].filter((code) => code.scrollWidth > code.clientWidth + 1),
  ...(document.documentElement.scrollWidth > innerWidth ? [document.body] : []),
].map((one) => one.textContent.slice(0, 80))"""
FETCHED = re.compile(r"""(?:src|<link[^>]*href|@import|url\()\s*=?\s*["'(]?(https?://[^"')\s>]+)""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly; `--quiet` would keep warnings from those who count them, and the build would pass."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_builds_strictly_and_fetches_nothing(site: Path) -> None:
    pages = list(site.glob("*.html"))
    assert len(pages) > len(list((ROOT / "docs").glob("*.md")))  # 404.html besides
    assert [found for page in pages for found in FETCHED.findall(page.read_text())] == []


@pytest.mark.parametrize("width", [390, 1280])
def test_no_line_of_code_is_cut_at_the_right(site: Path, width: int) -> None:
    skip_without_browser()
    cut = {}
    with Browser() as browser:
        browser.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        for page in sorted(site.rglob("*.html")):
            browser.open(page)
            cut[str(page.relative_to(site))] = browser.evaluate(CUT)
    assert {page: lines for page, lines in cut.items() if lines} == {}


def test_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.encode()) <= 8 * 1024
    inside = [link.partition("#")[0] for link in LINK.findall(text) if not link.startswith("https://")]
    assert len(inside) > 15
    assert [link for link in inside if not (ROOT / link).exists()] == []


def test_every_page_is_in_the_navigation() -> None:
    named = set(re.findall(r": (\w[\w-]*\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert named == {page.name for page in (ROOT / "docs").glob("*.md")}
