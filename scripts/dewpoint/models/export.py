"""A retriever's folder: loads with AutoModel, with SentenceTransformer, and here."""

import json
from pathlib import Path

from dewpoint.models.encoder import Encoder

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]


def save_retriever(folder: Path, model: Encoder, tokenizer, settings) -> None:
    """Weights, tokenizer, and the few files by which SentenceTransformer takes the CLS and scores by inner product."""
    model.backbone.save_pretrained(folder)
    tokenizer.model_max_length = settings.passage_length
    tokenizer.save_pretrained(folder)
    pooling = {"word_embedding_dimension": model.dimension, "pooling_mode_cls_token": True}
    _write(folder / "modules.json", MODULES)
    _write(folder / "1_Pooling" / "config.json", pooling)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": settings.passage_length, "do_lower_case": False})
    _write(folder / "config_sentence_transformers.json", {"similarity_fn_name": "dot"})


def _write(path: Path, value) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")
