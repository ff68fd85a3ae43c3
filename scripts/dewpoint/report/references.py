"""What to cite: the entries of references.bib, beside this, that a study's kinds and tables name."""

import re
from collections.abc import Iterable
from pathlib import Path

BIBLIOGRAPHY = Path(__file__).with_suffix(".bib")


def entries(text: str) -> dict[str, str]:
    """Key → entry, which begins and ends at the left of a line."""
    return {match[1]: match[0] for match in re.finditer(r"^@\w+\{([^\s,]+),\n.*?^\}$", text, re.MULTILINE | re.DOTALL)}


def field(entry: str, name: str) -> str:
    found = re.search(rf"^  {name} = \{{(.*)\}},$", entry, re.MULTILINE)
    return found[1] if found else ""


def references(names: Iterable[str]) -> str:
    """BibTeX of the entries whose key, or keyword, is among these names, in the file's order."""
    wanted = set(names)
    known = entries(BIBLIOGRAPHY.read_text(encoding="utf-8"))
    return "\n".join(
        f"{entry}\n" for key, entry in known.items() if key in wanted or field(entry, "keywords") in wanted
    )
