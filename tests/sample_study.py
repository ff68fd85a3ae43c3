"""A small study with something of everything, and how to write it with a mistake."""

from pathlib import Path

from dewpoint.study.grammar import Study
from dewpoint.study.load import load_study

STUDY = """\
title: Sample
datasets:
  d: {source: pydocs, packages: [json]}
  own:
    source: table
    corpus: {file: c.csv}
    queries: {train: {file: q.csv}, test: {file: t.csv}}
    judgements: {train: {file: j.csv}, test: {file: k.csv}}
models:
  bert: {recipe: mlm, from: scratch, data: d, architecture: {layers: 2, hidden: 32, heads: 2, vocabulary: 500}}
  condenser: {recipe: condenser, from: bert, data: d, early_layers: 1}
  co: {recipe: cocondenser, from: condenser, data: d, early_layers: 1, seed: 7}
  first: {recipe: retriever, from: co, data: d, negatives: [bm25]}
  second: {recipe: retriever, from: co, data: d, negatives: [bm25, first]}
rankers:
  bm25: {kind: bm25}
  zero: {kind: dense, model: co}
  hybrid: {kind: fusion, of: [second, bm25]}
  weighted: {kind: fusion, of: [first, zero], method: weighted, weights: [1, 0.5]}
tables:
  t: {rankers: [bm25, second, hybrid, weighted], on: d/test, metrics: [MRR@10, R@100]}
"""


def write(folder: Path, *changes: tuple[str, str], name: str = "study.yaml") -> Path:
    """The study in a file, one text after the other replaced."""
    text = STUDY
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, *changes: tuple[str, str]) -> Study:
    return load_study(write(folder, *changes))
