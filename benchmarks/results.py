"""RESULTS.md of a benchmark: one section for each kind of run, the newest figures in it."""

from pathlib import Path


def write_section(path: Path, heading: str, title: str, text: str) -> None:
    """Replace one section, keeping the others; a new file begins with `heading`."""
    found = path.read_text(encoding="utf-8") if path.exists() else f"# {heading}\n"
    head, *sections = found.split("\n## ")
    kept = {section.split("\n", 1)[0]: section.split("\n", 1)[1] for section in sections}
    kept[title] = f"\n{text}\n"
    body = "".join(f"\n## {name}\n\n{kept[name].strip()}\n" for name in sorted(kept))
    path.write_text(head.rstrip("\n") + "\n" + body, encoding="utf-8")


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows))
