"""Prints the table of calls as Markdown: ``python -m sparsejac.coverage > docs/coverage.md``."""

from sparsejac.coverage.text import as_markdown

if __name__ == "__main__":
    print(as_markdown(), end="")
