"""Print docs/kinds.md: every kind, and the keys that a study may give it."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from dewpoint.study.kind import TAGS, Kind, Strict, kinds

FOLDERS = {  # heading, and how a study writes one
    "sources": ("Sources of datasets", "datasets: {NAME: {source: …}}"),
    "recipes": ("Recipes of models", "models: {NAME: {recipe: …}}"),
    "rankers": ("Rankers", "rankers: {NAME: {kind: …}}"),
    "losses": ("Losses", "loss: {name: …}"),
    "batches": ("Batches", "batches: {name: …}"),
    "analyses": ("Analyses", "analyses: {NAME: {kind: …}}"),
}
INTRODUCTION = """# Kinds

All that a study can name, made by `make schema` from the modules of `scripts/dewpoint/`. In brackets is what a key is
when it is left out; what `architecture`, `development`, `index` and their like hold is in
[study.schema.json](study.schema.json). [new-kind.md](new-kind.md) says how to add a kind.
"""


def page() -> Iterator[str]:
    yield INTRODUCTION
    for folder in TAGS:
        heading, written = FOLDERS[folder]
        found = kinds(folder)
        shared = set.intersection(*map(set, map(described, found.values()))) if len(found) > 1 else set()
        yield f"## {heading}\n\n`{written}`, in `{folder}/`\n"
        if shared:
            yield from ("All have\n", *(line for line in described(next(iter(found.values()))) if line in shared), "")
        for name, kind in found.items():
            above = next((base for base in kind.__mro__[1:] if base in found.values()), None)
            theirs = described(above) if above else []
            own = [line for line in described(kind) if line not in shared and line not in theirs]
            yield f"### `{name}`\n\n{kind.__doc__.splitlines()[0]}\n"
            if above:
                yield f"What `{above.tag()}` has{', and' if own else ''}\n"
            if own:
                yield from (*own, "")


def described(kind: type[Strict], indent: str = "") -> list[str]:
    """A line for each key but the tag."""
    tag = TAGS[kind.folder()] if issubclass(kind, Kind) else None
    return [
        f"{indent}- `{field.alias or name}`{default(field)}: {field.description}"
        for name, field in kind.model_fields.items()
        if name != tag
    ]


def default(field: FieldInfo) -> str:
    """What it is when left out, where the description does not say it."""
    value = field.get_default(call_default_factory=True)
    return " (needed)" if field.is_required() else "" if value in (None, "", [], {}) else f" ({written(value)})"


def written(value: Any) -> str:
    """A value as a study has it."""
    if isinstance(value, Strict):
        values = value.model_dump(exclude_none=True, exclude_defaults=True)
        return next(iter(values.values())) if len(values) == 1 else written(values)
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else json.dumps(value)


if __name__ == "__main__":
    print("\n".join(page()).rstrip())
