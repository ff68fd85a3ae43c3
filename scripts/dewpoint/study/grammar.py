"""The grammar of a study and of config.yaml: what can be written, what it means, it is when left out.

Entries of most sections are kinds, found by folder; a table is the same for all.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, field_validator, model_validator

from dewpoint.evaluation.costs import is_cost, is_spread, is_tested, is_timed
from dewpoint.evaluation.registry import ANSWERS, JUDGEMENTS, OF_EXAMPLES, OF_SETS, SCORES, TRIPLETS, goes_by, known
from dewpoint.study.bases import Asked, Node
from dewpoint.study.kind import Kind, Names, Strict, any_of, kinds
from dewpoint.study.types import Amount, Count, Folder, Label, Metric, Name, Once, Place, Seed
from dewpoint.study.written import nearest

SECTIONS = {"datasets": "sources", "models": "recipes", "rankers": "rankers", "analyses": "analyses"}  # with kinds
Dataset, AnyModel, AnyRanker, AnyAnalysis = (any_of(folder) for folder in SECTIONS.values())
EXAMPLES = {SCORES: "pairs with scores", TRIPLETS: "triplets"}


# --- config.yaml --------------------------------------------------------------------------------


class Config(Strict):
    """What belongs to a run of the program."""

    study: str = Field("studies/quickstart.yaml", description="the study to run")
    output: Folder = Field("results", description="folder that results are written to, one folder a study in it")
    data: Folder = Field("data", description="folder of prepared datasets, shared by all studies")
    seed: Seed = Field(1, description="seed of everything random, unless a model names its own")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 on a GPU, and on a processor that multiplies in it, from 128 hidden units"
    )
    threads: int = Field(
        2, ge=1, description="that a training computes with on a processor, on any machine: sums depend on their number"
    )
    vectors: Literal["float16", "float32"] = Field("float16", description="how embeddings are stored")
    shards: Count = Field(1, le=10_000, description="parts that a corpus is encoded in, a job each")
    chunk: Amount = Field(
        0,
        description="tokens held in memory at once while training; never changes a result; 0: as device and model suit",
    )
    checkpoint_steps: Count = Field(1000, description="steps between checkpoints; there is one every 5 minutes anyway")
    gpus: Count = Field(
        1, description="of each node that a training is shared by, unless its model names its own; changes no result"
    )
    nodes: Count = Field(
        1, description="that a training is shared by, on a cluster, unless its model names its own; changes no result"
    )
    max_runtime: Count | None = Field(
        None, description="minutes: no job asks for more, whatever the attempt; a cluster's limit"
    )
    max_memory: Count | None = Field(
        None, description="MB: no job asks for more, whatever the attempt; that of a cluster's nodes"
    )
    rehearse: bool = Field(
        False, description="tiny files in the formats of the real ones, tiny models, few steps; results lie apart"
    )
    only: list[Label] = Field(
        [], description="what is made, by name, instead of all: models, tables, datasets, analyses"
    )
    container: str | None = Field(
        None, description="image that jobs run in with --sdm apptainer, made by envs/Dockerfile, such as dewpoint.sif"
    )
    reuse: bool = Field(
        True, description="what a study below `output` made with the same settings, code and inputs is taken over"
    )
    warm: bool | None = Field(
        None,
        description="programs begin in a process that has their libraries loaded, on one machine; Snakemake's own "
        "benchmark files then tell nothing of memory. null: in a rehearsal alone",
    )
    tracker: Literal["none", "tensorboard", "wandb"] = Field(
        "none", description="that trainings are followed by; its package is yours to install, and no result knows of it"
    )
    mirrors: dict[str, str] = Field(
        {},
        description="where files are fetched from instead: the beginning of an address: another beginning",
    )
    offline: str | None = Field(
        None,
        description="a folder with the files that would be fetched, under their names; nothing is fetched then",
    )

    @field_validator("mirrors")
    @classmethod
    def addresses(cls, mirrors: dict[str, str]) -> dict[str, str]:
        for beginning, mirror in mirrors.items():
            if not re.match(r"(https?|ftp)://\S", beginning):
                raise ValueError(f"'{beginning}' begins no address, as https://trec.nist.gov/ does")
            if not re.match(r"(https?|ftp|file)://\S", mirror) and not Path(mirror).is_dir():
                raise ValueError(f"'{mirror}' is neither an address nor a folder")
        return mirrors


# --- tables and the study -----------------------------------------------------------------------


Places = Annotated[
    Annotated[Place, Tag("one")]
    | Annotated[dict[Place, Annotated[list[Metric], Field(min_length=1), Once]], Tag("several")],
    Discriminator(lambda on: "several" if isinstance(on, dict) else "one"),
]


class Table(Strict):
    """Rankers × metrics, on one split or on several."""

    title: str = ""
    rankers: Annotated[list[Label], Names("rankers"), Once] = Field(min_length=1)
    on: Places = Field(
        description="dataset/split; or several, each with its metrics: {marco/dev: [MRR@10], marco/dl2019: [nDCG@10]}"
    )
    metrics: Annotated[list[Metric], Once] = Field([], description="with a single split")
    turns: Count | None = Field(
        None,
        description="how often latency is measured, each time of all its rankers, one after the other; the medians are "
        "shown. Left out: of each ranker once, by itself",
    )
    paper: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9]+$")] | None = Field(
        None, description="the table it reproduces, such as condenser/table5; published stands beside measured"
    )
    tolerance: float = Field(0.01, gt=0, description="how far a measured value may be from the published one")
    published_on: dict[Place, Place] = Field(
        {},
        description="where the paper measured on other queries, such as hidden ones, for a place of the table: "
        "{marco/dev: msmarco-passage/eval}; such figures are shown and not judged",
    )
    absent: dict[str, str] = Field(
        {}, description="why a system of the paper's table is not run, by its name; said beside `not run`"
    )
    baseline: Label | None = Field(None, description="the ranker that all others are tested against for significance")

    @model_validator(mode="after")
    def metrics_of_each_split(self):
        if isinstance(self.on, str) and not self.metrics:
            raise ValueError("needs metrics")
        if isinstance(self.on, dict) and (self.metrics or not self.on):
            raise ValueError("`on` with several splits names the metrics of each; leave `metrics` out")
        if self.baseline and self.baseline not in self.rankers:
            raise ValueError(f"baseline '{self.baseline}' is none of the table's rankers")
        measured = [metric for metrics in self.columns.values() for metric in metrics]
        if self.baseline and (len(self.rankers) < 2 or not any(map(is_tested, measured))):
            raise ValueError("baseline needs another ranker, and a metric that each query has, to be compared on")
        if self.turns and not any(map(is_timed, measured)):
            raise ValueError("turns are of latency, which is none of its metrics")
        if not self.turns and (spreads := [metric for metric in measured if is_spread(metric)]):
            raise ValueError(f"{spreads[0]} is of what is measured in turns; say how many: turns: 5")
        if self.absent and not self.paper:
            raise ValueError("`absent` goes with `paper`")
        if unknown := [place for place in self.published_on if tuple(place.split("/")) not in self.columns]:
            raise ValueError(f"published_on: the table measures nothing on {unknown[0]}")
        if self.published_on and not self.paper:
            raise ValueError("`published_on` goes with `paper`")
        return self

    @property
    def columns(self) -> dict[tuple[str, str], list[str]]:
        """(dataset, split) → its metrics."""
        on = {self.on: self.metrics} if isinstance(self.on, str) else self.on
        return {tuple(place.split("/")): metrics for place, metrics in on.items()}

    def is_of_each(self, metric: str) -> bool:
        """Whether it is measured of each ranker by itself, as its score."""
        return not (is_cost(metric) and (self.turns or not is_timed(metric)))

    def timed_in_turns(self, metrics: list[str]) -> bool:
        return self.turns is not None and any(map(is_timed, metrics))


class Study(Strict):
    """Datasets, models, rankers, tables and analyses that belong together, everything expanded."""

    title: str = ""
    description: str = ""
    datasets: dict[Name, Dataset] = Field(min_length=1)
    models: dict[Label, AnyModel] = {}
    rankers: dict[Label, AnyRanker] = {}
    tables: dict[Label, Table] = Field({}, description="without any, and without analyses, all models are made")
    analyses: dict[Label, AnyAnalysis] = {}

    def entries(self) -> Iterator[tuple[str, str, Strict]]:
        """(section, name, entry) of all."""
        for section in (*SECTIONS, "tables"):
            yield from ((section, name, entry) for name, entry in getattr(self, section).items())

    def asked(self) -> Iterator[tuple[str, str, str, str]]:
        """(where it is said, ranker, dataset, split) of all runs that tables, models and analyses ask for."""
        for name, table in self.tables.items():
            for place in table.columns:
                yield from ((f"tables.{name}.on", ranker, *place) for ranker in table.rankers)
        for section in ("models", "analyses"):
            for name, entry in getattr(self, section).items():
                yield from ((f"{section}.{name}.{key}", *of) for key, *of in entry.asks())

    def below(self, ranker: str, dataset: str, split: str) -> Iterator[Asked]:
        """(ranker, dataset, split) of a run and of all runs that it is made from, each once."""
        todo, found = [(ranker, dataset, split)], set()
        while todo:
            if (run := todo.pop()) not in found:
                found.add(run)
                yield run
                todo += reversed([*self.rankers[run[0]].asks(*run[1:])])

    def needs(self) -> dict[str, list[str]]:
        """What each model, ranker and analysis is made from, as `models.x` and `rankers.y`."""
        made = ("models", "rankers")
        return {
            f"{section}.{name}": list(dict.fromkeys(f"{of}.{one}" for _, of, one in entry.names() if of in made))
            for section, name, entry in self.entries()
            if section in (*made, "analyses")
        }

    def in_papers(self, table: Table, dataset: str, split: str) -> str:
        """What its paper calls the place of a table's column."""
        other = table.published_on.get(f"{dataset}/{split}")
        return other or "/".join(self.datasets[dataset].in_papers(dataset, split))

    def cited(self) -> set[str]:
        """Keys of what its kinds follow and use, and names of the papers that its tables reproduce."""
        entries = [entry for section in SECTIONS for entry in getattr(self, section).values()]
        parts = [part for entry in entries for part in entry.parts() if isinstance(part, Kind)]
        papers = {table.paper.split("/")[0] for table in self.tables.values() if table.paper}
        return papers | {key for part in parts for key in part.cited()}

    def made_from(self, nodes: Iterable[str]) -> set[str]:
        """These nodes of `needs` and all that they are made from, directly or not."""
        edges, found, todo = self.needs(), set(), list(nodes)
        while todo:
            node = todo.pop()
            todo += edges[node] if node not in found else []
            found.add(node)
        return found

    def shape(self, model: Node, source: str | None = None) -> Any | None:
        """The architecture of a model, or of what it starts from by another source, as far as the study says."""
        source = source or model.from_
        while source in self.models:
            model = self.models[source]
            source = model.from_
        return getattr(model, "architecture", None)

    def too_long(self, model: Node, lengths: dict[str, int], source: str | None = None) -> Iterator[tuple[str, str]]:
        """(key, what is wrong) of lengths that a model has no positions for."""
        shape = self.shape(model, source)
        for key, length in lengths.items() if shape else ():
            if length > shape.positions:
                yield key, f"{length} tokens, but the model has {shape.positions} positions"

    def untimed(self, ranker: str) -> str | None:
        """Why a ranker cannot be timed, if it cannot: it, or one that it is made of, is asked no questions."""
        todo = [ranker]
        while todo:
            asked = self.rankers[name := todo.pop(0)]
            todo += asked.asked_live()
            if not asked.has("live"):
                of = f"a {asked.tag()}" if name == ranker else f"'{ranker}', which asks '{name}', a {asked.tag()}"
                return f"{of}, which cannot be asked a question"
        return None

    def timed(self, rankers: list[str]) -> list[str]:
        """Those that can be."""
        return [name for name in rankers if self.untimed(name) is None]

    def lacks_split(self, dataset: str, split: str, metrics: list[str] | tuple[str, ...] = ("MRR@10",)) -> str | None:
        """What is wrong when there is no such dataset, or it has no such split for these metrics."""
        if dataset not in self.datasets:
            return f"no dataset '{dataset}'{nearest(dataset, [*self.datasets])}"
        sorts = {metric: goes_by(metric) for metric in metrics if not is_cost(metric)}
        if (wrong := self._lacks_examples(dataset, split, sorts)) or split in self.datasets[dataset].examples:
            return wrong
        needed = {ANSWERS: "answered", **dict.fromkeys(OF_SETS, "proven")}
        for what in sorted({needed.get(by, "judged") for by in sorts.values() or [JUDGEMENTS]}):
            known = getattr(self.datasets[dataset], what)
            if known is not None and split not in known:
                near = nearest(split, known) or f"; dataset '{dataset}' has none"
                return f"no {what} split '{split}'{near}"
        return None

    def _lacks_examples(self, dataset: str, split: str, sorts: dict[str, str]) -> str | None:
        """What is wrong with a split that has examples, or has none, for metrics of these sorts."""
        of = self.datasets[dataset].examples.get(split)
        for metric, by in sorts.items():
            if of and by != of:
                return f"{dataset}/{split} has {EXAMPLES[of]}, which have no {metric}; write {', '.join(known(of))}"
            if by in OF_EXAMPLES and (wrong := self.lacks_examples(dataset, split, by)):
                return f"{metric}: {wrong}"
        return None

    def lacks_examples(self, dataset: str, split: str, wanted: str) -> str | None:
        """What is wrong when a split has no examples of the wanted kind."""
        examples = self.datasets[dataset].examples
        if examples.get(split) == wanted:
            return None
        splits = [name for name, of in examples.items() if of == wanted]
        near = nearest(split, splits) or f"; dataset '{dataset}' has none"
        return f"no split '{split}' of {EXAMPLES[wanted]}{near}"


# --- JSON schemas -------------------------------------------------------------------------------


def schema() -> dict[str, Any]:
    """The JSON schema of a study as it is written: with `include:`, and `vary:` in any entry."""
    written = Study.model_json_schema(by_alias=True)
    written["title"] = "Dewpoint study"
    written["properties"]["include"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "other studies whose entries are taken in, relative to this file",
    }
    written["required"] = []
    vary = {
        "type": "object",
        "additionalProperties": {"type": "array", "minItems": 1},
        "description": "axes; the entry is written out for every combination, {axis} replaced in its name and values",
    }
    entries = [kind for folder in SECTIONS.values() for kind in kinds(folder).values()]
    for entry in (*entries, Table):
        if entry.__name__ in written["$defs"]:
            properties = written["$defs"][entry.__name__]["properties"]
            properties["vary"] = vary
            if entry in kinds("recipes").values() and "data" in properties:
                several = {"type": "array", "items": {"type": "string"}, "minItems": 2}
                described = properties["data"].pop("description")
                properties["data"] = {"anyOf": [properties["data"], several], "description": f"{described}, or several"}
    for section in (*SECTIONS, "tables"):
        written["properties"][section].pop("minProperties", None)
        written["properties"][section].pop("propertyNames", None)
    return written
