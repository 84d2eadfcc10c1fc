"""The site builds without a warning, README is short, and no link of either leads nowhere; nothing is fetched from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import ROOT

LINK = re.compile(r"(?:\]\(|src=\")([^)\s\"]+)[)\"]")
FETCHED = re.compile(r"""(?:src|<link[^>]*href|@import|url\()\s*=?\s*["'(]?(https?://[^"')\s>]+)""")


def test_the_site_builds_strictly_and_fetches_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.glob("*.html"))
    assert len(pages) > len(list((ROOT / "docs").glob("*.md")))  # 404.html besides
    assert [found for page in pages for found in FETCHED.findall(page.read_text())] == []


def test_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.encode()) <= 8 * 1024
    inside = [link.partition("#")[0] for link in LINK.findall(text) if not link.startswith("https://")]
    assert len(inside) > 15
    assert [link for link in inside if not (ROOT / link).exists()] == []


def test_every_page_is_in_the_navigation() -> None:
    named = set(re.findall(r": (\w[\w-]*\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert named == {page.name for page in (ROOT / "docs").glob("*.md")}
