"""A study of a made-up paper's table, with its scores."""

import json
from pathlib import Path
from types import SimpleNamespace

from dewpoint.artifact import write_manifest
from dewpoint.study import published
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from dewpoint.study.load import load_study

PAPER = """\
title: Made up
authors: [Ada Lovelace, Charles Babbage]
year: 1843
where: nowhere
tables:
  table2:
    caption: All of it
    notes: [What one must know.]
    rows:
      - row: {system: BM25}
        on: {msmarco-passage/dev: {MRR@10: 0.184, R@1000: 0.853}, nq/test: {Hit@20: 0.591}}
      - row: {system: BERT, train: 1000, neg: bm25}
        on: {msmarco-passage/dev: {MRR@10: 0.330}, nq/test: {Hit@20: 0.70}}
        suspect: {nq/test: [Hit@20]}
        note: elsewhere 0.666
      - row: {system: BERT, train: full, neg: bm25}
        on: {msmarco-passage/dev: {MRR@10: 0.309, R@1000: 0.938}}
        inferred: true
      - row: {system: Other, train: full}
        printed: The other one
        on: {msmarco-passage/dev: {R@1000: 0.959}, nq/test: {Hit@20: 0.819}}
"""
STUDY = """\
datasets:
  marco: {source: msmarco-passage}
  dpr: {source: dpr, questions: [nq]}
rankers:
  words: {kind: bm25, published: {system: BM25}}
  few: {kind: bm25, k1: 1, published: {system: BERT, train: 1000, neg: bm25}}
  all: {kind: bm25, k1: 2, published: {system: BERT, train: full, neg: bm25}}
  own: {kind: bm25, k1: 3}
tables:
  t:
    rankers: [own, few, words]
    on: {marco/dev: [MRR@10, R@1000], dpr/nq-test: [Hit@20]}
    paper: lovelace/table2
    tolerance: 0.01
    absent: {Other: it has no code}
"""

MEASURED = {
    ("own", "marco/dev"): {"MRR@10": 0.25, "R@1000": 0.75},
    ("own", "dpr/nq-test"): {"Hit@20": 0.5},
    ("few", "marco/dev"): {"MRR@10": 0.3349, "R@1000": 0.8},
    ("few", "dpr/nq-test"): {"Hit@20": 0.71},
    ("words", "marco/dev"): {"MRR@10": 0.1844, "R@1000": 0.8401},
    ("words", "dpr/nq-test"): {"Hit@20": 0.6},
}


def load(folder: Path, monkeypatch, *changes: tuple[str, str]) -> Graph:
    """The study with texts replaced, in it or in its paper."""
    study, paper = STUDY, PAPER
    for old, new in changes:
        assert old in study or old in paper, old
        study, paper = study.replace(old, new, 1), paper.replace(old, new, 1)
    (folder / "papers").mkdir(exist_ok=True)
    (folder / "papers" / "lovelace.yaml").write_text(paper)
    (folder / "s.yaml").write_text(study)
    monkeypatch.setattr(published, "PUBLISHED", folder / "papers")
    published.load_paper.cache_clear()
    return Graph(Config(study=str(folder / "s.yaml"), output=str(folder)), load_study(folder / "s.yaml"))


def namespace(settings: str) -> SimpleNamespace:
    """Settings as a program has them."""
    return json.loads(settings, object_hook=lambda pairs: SimpleNamespace(**pairs))


def write_scores(graph: Graph, values: dict[tuple[str, str], dict[str, float]], queries: int = 7) -> None:
    """(ranker, dataset/split) → metrics."""
    for (ranker, on), metrics in values.items():
        path = Path(graph.score(ranker, *on.split("/")))
        path.parent.mkdir(parents=True, exist_ok=True)
        run = {"seconds": 1, "peak_memory_mb": 1, "device": "", "commit": "", "python": "", "versions": {}}
        run |= {"finished": "2031-01-02T03:04:05+0000"}
        facts = {"queries": queries, "metrics": metrics}
        write_manifest(
            path, {"format": 1, "facts": facts, "settings": {}, "inputs": {}, "files": {}, "run": run, "content": ""}
        )
