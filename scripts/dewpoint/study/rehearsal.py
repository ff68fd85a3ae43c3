"""Rehearsal: any study so small that a laptop's processor runs all of it in minutes, by the same rules and programs.

Sources read tiny files in the formats of the real ones, stand-ins take the place of released models, and there are few
steps. What comes out lies apart and means nothing, except that the real run will not stop half-way.
"""

import re
from math import log10
from pathlib import Path

from pydantic import BaseModel

from dewpoint.data.sources import tiny, tiny_marco
from dewpoint.study.grammar import (
    Beir,
    Bm25,
    Condenser,
    Config,
    Dense,
    Fusion,
    Model,
    MsmarcoDocument,
    MsmarcoPassage,
    Node,
    Pretraining,
    Pydocs,
    Retriever,
    RunFiles,
    Study,
    Tables,
    Tevatron,
    Text,
)

APART = "rehearsal"
WILD = re.compile(r"\*+|\?|\[.*?\]")  # what a pattern has that stands for anything
PACKAGES = ["json", "email", "logging"]  # docstrings for seconds
ARCHITECTURE = {"layers": 2, "hidden": 32, "heads": 2, "intermediate": 64, "vocabulary": 1000}
STEPS, EARLY, BATCH, LENGTH, QUERY_LENGTH, PASSAGE_LENGTH = 2, 1, 8, 32, 16, 48
ABOUT = "A rehearsal on tiny files, with tiny models and few steps: what is measured means nothing."


def rehearsed(config: Config, study: Study) -> tuple[Config, Study]:
    """A study and where its files lie, made small."""
    config = config.model_copy(update={"data": f"{config.data}/{APART}", "output": f"{config.output}/{APART}"})
    text = {"title": _title(study.title or Path(config.study).stem), "description": ABOUT}
    parts = {
        "datasets": {name: _dataset(dataset, files(config, name)) for name, dataset in study.datasets.items()},
        "models": {name: _model(model, config) for name, model in study.models.items()},
        "rankers": {name: _ranker(ranker) for name, ranker in study.rankers.items()},
        "tables": {name: _with(table, title=_title(table.title or name)) for name, table in study.tables.items()},
    }
    return config, study.model_copy(update=text | parts)


def stood_for(study: Study) -> dict[str, str]:
    """The released models that a study starts from, by the name of what takes their place."""
    sources = (source for model in study.models.values() for source in model.sources.values())
    return {flat(place): place for _, released, place in (source.partition(":") for source in sources) if released}


def expected(source: str, **options) -> dict[str, int | dict[str, int]]:
    """How many rows a dataset's tiny files hold, as `catalogue.expected` says of the real ones."""
    return (tiny_marco if source.startswith("msmarco-") else tiny).tiny_expected(source, **options)


def files(config: Config, dataset: str) -> str:
    """The folder of a dataset's tiny files."""
    return f"{config.data}/files/{dataset}"


def stand_ins(config: Config) -> str:
    """The folder of the models that take the place of released ones."""
    return f"{config.data}/stand-ins"


def _title(title: str) -> str:
    return f"Rehearsal: {title}"


def _dataset(dataset, folder: str):
    """A definition whose files lie in `folder`; a pattern becomes the name of one file."""

    def moved(path: str) -> str:
        return f"{folder}/{flat(WILD.sub('0', path))}"

    if isinstance(dataset, Pydocs):
        return _with(dataset, packages=PACKAGES)
    if isinstance(dataset, Beir):
        return _with(dataset, path=folder)
    if isinstance(dataset, Tables):
        splits = {
            part: {split: _with(file, file=moved(file.file)) for split, file in getattr(dataset, part).items()}
            for part in ("queries", "judgements")
        }
        return _with(dataset, corpus=_with(dataset.corpus, file=moved(dataset.corpus.file)), **splits)
    if isinstance(dataset, Text):
        return _with(dataset, files=list(dict.fromkeys(map(moved, dataset.files))))
    if isinstance(dataset, Tevatron):
        queries = {split: moved(file) for split, file in dataset.queries.items()}
        return _with(dataset, corpus=list(dict.fromkeys(map(moved, dataset.corpus))), queries=queries)
    if isinstance(dataset, MsmarcoPassage):
        return _with(dataset, triples=min(dataset.triples, 4))
    if isinstance(dataset, MsmarcoDocument):
        stride = None if dataset.stride is None else 12 * dataset.stride // dataset.words + 1
        return _with(dataset, words=12, stride=stride)
    return dataset


def _model(model: Node, config: Config) -> Node:
    sources = {key: _stand_in(source, config) for key, source in model.sources.items()}
    small = {"from_" if key == "from" else key: source for key, source in sources.items()}
    small |= {"query_length": min(model.query_length, QUERY_LENGTH)}
    small |= {"passage_length": min(model.passage_length, PASSAGE_LENGTH)}
    if isinstance(model, Model):
        small |= {"batch_size": min(model.batch_size, BATCH)}
    if isinstance(model, Pretraining):
        small |= {"steps": min(model.steps, STEPS), "length": min(model.length, LENGTH)}
        small |= {"measurements": min(model.measurements, 1)}
        small |= {"architecture": model.architecture and _with(model.architecture, **ARCHITECTURE)}
    if isinstance(model, Condenser):
        small |= {"early_layers": EARLY, "head_layers": 1}
    if isinstance(model, Retriever):
        small |= {
            "train_query_length": None,
            "epochs": 1,
            "train_queries": few(model.train_queries),
            "negatives_per_query": min(model.beside, 2),
        }
        small |= {"projection": model.projection and _with(model.projection, size=min(model.projection.size, 16))}
        small |= {"development": model.development and _with(model.development, measurements=1)}
    return _with(model, **small)


def few(queries: int | str) -> int | str:
    """So many that more stay more, and all stay all."""
    return queries if queries == "all" else min(queries, 2 + round(2 * log10(queries)))


def _stand_in(source: str, config: Config) -> str:
    _, released, place = source.partition(":")
    return f"path:{stand_ins(config)}/{flat(place)}" if released else source


def flat(path: str) -> str:
    """A path as the name of one file."""
    return path.strip("/").replace("/", "--")


def _ranker(ranker):
    """A run that others made is of the real queries; BM25 stands in for it."""
    if isinstance(ranker, RunFiles):
        return Bm25(kind="bm25", depth=ranker.depth, published=ranker.published)
    if isinstance(ranker, Dense):
        small = {"nlist": 4, "bytes": 8, "sample": None, "factory": "Flat", "search": {}}
        index = {key: value for key, value in small.items() if key in type(ranker.index).model_fields}
        return _with(ranker, index=_with(ranker.index, **index))
    if isinstance(ranker, Fusion) and ranker.tune:
        return _with(ranker, tune=_with(ranker.tune, steps=2))
    return ranker


def _with(part: BaseModel, **values) -> BaseModel:
    return part.model_copy(update=values)
