"""What the folder of an encoder says that was trained on examples: its card, and how its vectors are compared."""

import json
from pathlib import Path

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.pretrained import hub_name, is_folder
from dewpoint.models.card import LIBRARY, NOT_SHOWN, _code, _inputs

SAID_OF = "config_sentence_transformers.json"
HEAD = f"""\
---
library_name: {LIBRARY}
pipeline_tag: sentence-similarity
tags: [{LIBRARY}, sentence-similarity, feature-extraction]"""
USE = """\
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{name}")
vectors = model.encode(["…", "…"])
alike = model.similarity(vectors, vectors)"""


def sentence_card(artifact: Artifact, settings, dataset: Path, similarity: str) -> str:
    """Markdown with the front matter of model hubs."""
    facts, name = artifact.facts, artifact.folder.name
    released = settings.source != "study" and not is_folder(settings.source)
    lines = [HEAD, *([f"base_model: {json.dumps(hub_name(settings.source))}"] if released else []), "---", ""]
    lines += [f"# {name}", "", f"An encoder of sentences, whose vectors are compared by similarity: {similarity}.", ""]
    held = read_manifest(dataset)["facts"]["examples"][settings.split]
    trained = f"{facts['examples']:,} of {held:,} examples of `{settings.split}`"
    lines += ["## Data", "", f"`{dataset.parent.name}`: trained on {trained}.", ""]
    lines += ["## Made from", "", *_inputs(artifact), ""]
    for title, values in (("Settings", artifact.settings), ("What came of it", facts)):
        shown = {key: value for key, value in values.items() if key not in NOT_SHOWN and value is not None}
        rows = [f"| {key} | {_code(json.dumps(value, ensure_ascii=False))} |" for key, value in shown.items()]
        lines += [f"## {title}", "", "| | |", "|---|---|", *rows, ""]
    lines += ["## Use", "", "```python", USE.format(name=name), "```", ""]
    if settings.title == "pair":
        lines += ["Where a text has a title, it stands before the text, with the tokenizer's separator between.", ""]
    return "\n".join(lines)


def say_similarity(folder: Path, similarity: str) -> None:
    """So that SentenceTransformer compares vectors as they were trained to be compared."""
    path = folder / SAID_OF
    said = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(said | {"similarity_fn_name": similarity}, indent=1) + "\n", encoding="utf-8")
