"""The card of a retriever, a cross-encoder or a mono-T5: what it is made from and with, and how it is used."""

import json
import re
from pathlib import Path

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.pretrained import hub_name, is_folder
from dewpoint.inventory import named

NOT_SHOWN = {"recipe", "retrieves", "devices", "training_seconds", "tokens_per_second"}  # one seed, one card


RETRIEVER = """\
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{name}")
queries = model.encode_query(["…"])
passages = model.encode_document(["…"])
scores = model.similarity(queries, passages)"""
LATE = """\
from sentence_transformers import MultiVectorEncoder

model = MultiVectorEncoder("{name}")
queries = model.encode_query(["…"])
passages = model.encode_document(["…"])
scores = model.similarity(queries, passages)"""
CROSS_ENCODER = """\
from sentence_transformers import CrossEncoder

model = CrossEncoder("{name}")
scores = model.predict([("query", "passage")])"""
MONO_T5 = """\
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained("{name}"), AutoTokenizer.from_pretrained("{name}")
answers = [ids[0] for ids in tokenizer(["true", "false"], add_special_tokens=False).input_ids]
question = tokenizer("Query: … Document: … Relevant:", return_tensors="pt")
written = model.generate(**question, max_new_tokens=1, output_logits=True, return_dict_in_generate=True)
score = written.logits[0][0, answers].log_softmax(0)[0]"""


LIBRARY = "sentence-transformers"
DENSE = LIBRARY, "sentence-similarity", "feature-extraction, dense-retrieval"
KINDS = {  # library, task, tags, what it is, how it is used
    "retriever": (*DENSE, "A dense passage retriever, scored by inner product.", RETRIEVER),
    "late": (*DENSE, "A passage retriever by late interaction: a vector for each token, scored by max-sim.", LATE),
    "crossencoder": (
        LIBRARY,
        "text-ranking",
        "cross-encoder, reranker",
        "A cross-encoder: a query and a passage, read together, get a score.",
        CROSS_ENCODER,
    ),
    "monot5": (
        "transformers",
        "text-ranking",
        "monot5, reranker",
        "A mono-T5: asked whether a passage is relevant to a query it writes true or false, and P(true) is the score.",
        MONO_T5,
    ),
}


def card(artifact: Artifact, settings, dataset: Path | None, kind: str = "retriever") -> str:
    """Markdown with the front matter of model hubs; `kind` is one of KINDS."""
    name, facts = artifact.folder.name, artifact.facts
    library, task, tags, about, use = KINDS[kind]
    head = ["---", f"library_name: {library}", f"pipeline_tag: {task}", f"tags: [{library}, {tags}]"]
    if settings.source != "study" and not is_folder(settings.source):
        head.append(f"base_model: {json.dumps(hub_name(settings.source))}")
    lines = [*head, "---", "", f"# {name}", "", about, ""]
    if dataset:
        held = read_manifest(dataset)["facts"]
        what = next(what for what in ("queries", "pairs", "sentences") if what in facts)
        trained = f"{facts[what]:,} {what}" + (f" of `{settings.split}`" if what != "sentences" else "")
        lines += ["## Data", "", f"`{dataset.parent.name}`: {held['passages']:,} passages; trained on {trained}.", ""]
    lines += ["## Made from", "", *_inputs(artifact), ""]
    lines += ["## Settings", "", "| | |", "|---|---|"]
    shown = {key: value for key, value in artifact.settings.items() if key not in NOT_SHOWN and value is not None}
    lines += [f"| {key} | {_code(json.dumps(value, ensure_ascii=False))} |" for key, value in shown.items()]
    lines += ["", "## What came of it", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in facts.items() if key not in NOT_SHOWN]
    lines += ["", "## Use", "", "```python", use.format(name=name), "```", ""]
    if settings.title == "pair":
        lines += ["A passage's title stands before its text, with the tokenizer's separator between.", ""]
    return "\n".join(lines)


def _inputs(artifact: Artifact) -> list[str]:
    """Every artifact it was made from, with the hash of what was in it; wherever they lie, it is the same card."""
    return [f"- {_code(named(Path(path)))} ({hash[:12]})" for path, hash in artifact.inputs.items() if hash]


def _code(text: str) -> str:
    """As code in a line or a cell of Markdown, whatever is in it: a fence longer than those within, and no bars."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    beside = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{beside}{text}{beside}{fence}".replace("|", "\\|").replace("\n", " ")
