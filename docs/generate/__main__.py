"""`python -m docs.generate`: write the generated parts of all pages anew."""

from docs.generate.pages import PAGES, generated


def _write() -> None:
    for page in sorted(PAGES.glob("*.md")):
        before = page.read_text()
        if (after := generated(before)) != before:
            page.write_text(after)
            print(f"written: {page.name}")


if __name__ == "__main__":
    _write()
