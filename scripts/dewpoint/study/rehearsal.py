"""Rehearsal: any study so small that a laptop's processor runs all of it in minutes, by the same rules and programs.

Sources read tiny files in the formats of the real ones, stand-ins take the place of released models, and there are few
steps. What comes out lies apart and means nothing, except that the real run will not stop half-way.
"""

import hashlib
import re
from pathlib import Path

from dewpoint.study.bases import Node, Source
from dewpoint.study.grammar import Config, Study, Table
from dewpoint.study.kind import outside

APART = "rehearsal"
LONGEST = 150  # bytes of a name as it is
UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")
WILD = re.compile(r"\*+|\?|\[.*?\]")  # what a pattern has that stands for anything
ABOUT = "A rehearsal on tiny files, with tiny models and few steps: what is measured means nothing."


def rehearsed(config: Config, study: Study) -> tuple[Config, Study]:
    """A study and where its files lie, made small."""
    config = config.model_copy(update={"data": f"{config.data}/{APART}", "output": f"{config.output}/{APART}"})
    text = {"title": _title(study.title or Path(config.study).stem), "description": ABOUT}
    parts = {
        "datasets": {name: _dataset(dataset, files(config, name)) for name, dataset in study.datasets.items()},
        "models": {name: _model(model, config) for name, model in study.models.items()},
        "rankers": {name: ranker.rehearsed() for name, ranker in study.rankers.items()},
        "tables": {name: _table(table, name) for name, table in study.tables.items()},
        "analyses": {name: analysis.rehearsed() for name, analysis in study.analyses.items()},
    }
    return config, study.model_copy(update=text | parts)


def stood_for(study: Study) -> dict[str, str]:
    """The released models that a study starts from, by the name of what takes their place."""
    sources = (source for model in study.models.values() for source in model.sources.values())
    return {flat(place): place for _, released, place in (source.partition(":") for source in sources) if released}


def files(config: Config, dataset: str) -> str:
    """The folder of a dataset's tiny files."""
    return f"{config.data}/files/{dataset}"


def stand_ins(config: Config) -> str:
    """The folder of the models that take the place of released ones."""
    return f"{config.data}/stand-ins"


def flat(path: str) -> str:
    """A path as the name of one file that any file system holds, and in which Snakemake sees no wildcard."""
    name = path.strip("/").replace("/", "--")
    if len(name.encode()) <= LONGEST and name.isprintable() and not {*"{}"} & {*name} and "--" not in path:
        return name
    digest = hashlib.sha256(path.encode()).hexdigest()[:8]
    return f"{digest}-{UNUSUAL.sub('-', name)[-100:]}"


def _title(title: str) -> str:
    return f"Rehearsal: {title}"


def _table(table: Table, name: str) -> Table:
    return table.model_copy(update={"title": _title(table.title or name)})


def _dataset(dataset: Source, folder: str) -> Source:
    """A definition whose files lie in `folder`; a pattern becomes the name of one file."""

    def place(path: str) -> str:
        return f"{folder}/{flat(WILD.sub('0', path))}" if path else folder

    return dataset.rehearsed(relevant=None, **dataset.moved(place))


def _model(model: Node, config: Config) -> Node:
    sources = {
        name: _stand_in(source, config)
        for name, source in ((field, getattr(model, field)) for field in model.source_fields())
        if source
    }
    return model.rehearsed(**sources)


def _stand_in(source: str, config: Config) -> str:
    """What takes the place of a released model; a new one, and one of the study, stays."""
    if source == "scratch" or not outside(source):
        return source
    return f"path:{stand_ins(config)}/{flat(source.partition(':')[2])}"
