"""What the rules ask of a study: which artifact needs which, and exactly the settings that each one consumes.

Settings are sorted JSON. What cannot change a result is not in them; another artifact is never in them, it is an input.
What an entry needs its kind says; here is where things lie.
"""

import hashlib
import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dewpoint.artifact import read_manifest
from dewpoint.data.catalogue import Download
from dewpoint.errors import UserError
from dewpoint.evaluation.costs import WHAT, is_tested, is_timed
from dewpoint.evaluation.registry import BATCHES, entry, is_latency
from dewpoint.study import rehearsal
from dewpoint.study.bases import PASSAGES, QUERIES, QUERY, Inputs, Node, Ranker, place
from dewpoint.study.grammar import Config, Study, Table
from dewpoint.study.kind import Kind
from dewpoint.study.load import load_config, load_study
from dewpoint.study.published import cited, printed_table, setting_text
from dewpoint.study.rehearsal import rehearsed, stood_for
from dewpoint.study.written import parse

PROJECT = Path(__file__).parents[3]
EXPLORED = "queries+"  # before a table's name; none has a + in it
REHEARSED, TURNS = 3, 2  # times that a batch is timed in a rehearsal, and turns of a table's rankers, at most
MADE = {"embeddings": "vectors", "derived": "derived"}  # of passages, in folders of results: flags of what they cost
# what of a config.yaml shapes results, and is not where or how they are made
SHAPING = ("seed", "precision", "threads", "vectors", "shards")


@dataclass(frozen=True)
class Graph:
    config: Config
    study: Study
    stood_for: dict[str, str] = field(default_factory=dict)  # of a rehearsal: stand-in → released model

    @classmethod
    def load(cls, values: dict) -> "Graph":
        """From what Snakemake read of config.yaml and --config."""
        config = load_config(values)
        study = load_study(found(config.study))
        graph = cls(*rehearsed(config, study), stood_for(study)) if config.rehearse else cls(config, study)
        graph._refuse_foreign_datasets()
        graph._refuse_foreign_results()
        return graph

    @classmethod
    def of_config(cls, study: str | None) -> "Graph":
        """As config.yaml has it, of another study if one is named."""
        return cls.load(written(study))

    # --- where things lie -----------------------------------------------------------------------

    @property
    def data(self) -> str:
        return self.config.data

    @property
    def results(self) -> str:
        return f"{self.config.output}/{Path(self.config.study).stem}"

    def dataset(self, name: str) -> str:
        return f"{self.data}/{name}/manifest.json"

    def download(self, file: str) -> str:
        return f"{self.data}/downloads/{file}.json"

    def model(self, name: str) -> str:
        return f"{self.results}/models/{name}/manifest.json"

    def tokenizer(self, model: str, side: str = PASSAGES) -> str:
        return f"{self.data}/tokenizers/{self.tokenizer_name(model, side)}/manifest.json"

    def tokens(self, model: str, dataset: str, side: str = PASSAGES) -> str:
        return f"{self.data}/{dataset}/tokens/{self.tokenizer_name(model, side)}/manifest.json"

    def run(self, ranker: str, dataset: str, split: str) -> str:
        return f"{self.results}/runs/{ranker}/{dataset}.{split}.json"

    def score(self, ranker: str, dataset: str, split: str) -> str:
        return f"{self.results}/scores/{ranker}/{dataset}.{split}.json"

    def latency(self, ranker: str, dataset: str, split: str) -> str:
        return f"{self.results}/latency/{ranker}/{dataset}.{split}.json"

    def turns(self, table: str, dataset: str, split: str) -> str:
        """How long the rankers of a table take by turns; named after what is measured, so that tables share it."""
        return f"{self.results}/latency/{self.turns_name(table, dataset, split)}/{dataset}.{split}.json"

    def cost(self, ranker: str, dataset: str) -> str:
        """A score that is of no split."""
        return f"{self.results}/scores/{ranker}/{dataset}.json"

    def index(self, ranker: str, dataset: str) -> str:
        """What a ranker builds for a dataset: postings, vectors' neighbours, tuned weights."""
        return f"{self.results}/indexes/{ranker}/{dataset}/manifest.json"

    def embeddings(self, model: str, dataset: str, part: str) -> list[str]:
        """The shards of a part: `corpus`, or `queries.<split>`, which is always one."""
        shards = self.config.shards if part == "corpus" else 1
        folder = f"{self.results}/embeddings/{model}/{dataset}"
        return [f"{folder}/{part}-{shard}of{shards}.json" for shard in range(shards)]

    def derived(self, ranker: str, dataset: str) -> list[str]:
        """The shards of what a ranker makes of each passage."""
        folder, shards = f"{self.results}/derived/{self.derived_name(ranker)}/{dataset}", self.config.shards
        return [f"{folder}/{shard}of{shards}.json" for shard in range(shards)]

    def negatives(self, model: str) -> str:
        """Named after what makes them, so that models share them."""
        return f"{self.results}/negatives/{self.negatives_name(model)}/manifest.json"

    def clusters(self, of, dataset: str, split: str) -> str:
        """Named after what makes them, too; `of` says how."""
        return f"{self.results}/clusters/{self.clusters_name(of, dataset, split)}/manifest.json"

    def analysis(self, name: str) -> str:
        return f"{self.results}/analyses/{name}/manifest.json"

    def table(self, name: str) -> list[str]:
        return [f"{self.results}/tables/{name}.{suffix}" for suffix in ("csv", "md", "json")]

    def table_scores(self, name: str) -> list[str]:
        table = self.study.tables[name]
        return [self.score(ranker, *place) for place in table.columns for ranker in table.rankers]

    def table_turns(self, name: str) -> list[str]:
        """For each place of a table on which its rankers are timed in turns."""
        table = self.study.tables[name]
        return [self.turns(name, *place) for place, metrics in table.columns.items() if table.timed_in_turns(metrics)]

    def table_costs(self, name: str) -> list[str]:
        """For each place of a table with costs that manifests say, its rankers in order."""
        table = self.study.tables[name]
        places = [place for place, metrics in table.columns.items() if WHAT.keys() & {*metrics}]
        return [self.cost(ranker, dataset) for dataset, _ in places for ranker in table.rankers]

    def comparison(self, name: str) -> str:
        return f"{self.results}/comparisons/{name}.json"

    def comparisons(self, name: str) -> list[str]:
        """The tests of a table's rankers against its baseline, if it has one."""
        return [self.comparison(name)] if self.study.tables[name].baseline else []

    def explored(self, name: str) -> list[str]:
        """What the report's explorer of queries shows of a table, if queries can be looked at."""
        return [f"{self.results}/comparisons/{EXPLORED}{name}.json"] if self._explored_places(name) else []

    def threads(self, model: str) -> int:
        """That a model's training computes with on a processor."""
        return getattr(self.study.models[model], "threads", None) or self.config.threads

    def gpus(self, model: str) -> int:
        """Of each node that a model's training is shared by."""
        return getattr(self.study.models[model], "gpus", None) or self.config.gpus

    def nodes(self, model: str) -> int:
        return getattr(self.study.models[model], "nodes", None) or self.config.nodes

    @property
    def all_scores(self) -> list[str]:
        return [self.score(*key) for key in self.scores]

    @property
    def all_models(self) -> list[str]:
        return [self.model(name) for name in self.needed.models]

    @property
    def all_analyses(self) -> list[str]:
        return list(map(self.analysis, self.study.analyses))

    @property
    def targets(self) -> list[str]:
        """What is made when nothing else is asked for: the report, tables and analyses, or what `only` names."""
        if not self.config.only:
            tables = [path for name in self.study.tables for path in self.table(name)]
            return [f"{self.results}/report.html", *tables, *self.all_analyses]
        made = {"models": lambda name: [self.model(name)], "analyses": lambda name: [self.analysis(name)]}
        made |= {"tables": self.table, "datasets": lambda name: [self.dataset(name)]}
        found = [
            (section, name) for section in made for name in self.config.only if name in getattr(self.study, section)
        ]
        for name in self.config.only:
            if name not in [known for _, known in found]:
                known = ", ".join(known for section in made for known in getattr(self.study, section))
                raise UserError(f"config.yaml: only: {self.config.study} has no '{name}'; there is {known}")
        return [path for section, name in found for path in made[section](name)]

    # --- what needs what ------------------------------------------------------------------------

    @cached_property
    def needed(self) -> Study:
        """What tables and analyses need of the study, with all that it is made from; every model without any."""
        todo = [f"rankers.{ranker}" for ranker, _, _ in self.scores]
        todo += [f"analyses.{analysis}" for analysis in self.study.analyses]
        todo += [] if todo else [f"models.{model}" for model in self.study.models]
        found = self.study.made_from(todo)
        parts = {
            section: {
                name: entry for name, entry in getattr(self.study, section).items() if f"{section}.{name}" in found
            }
            for section in ("models", "rankers")
        }
        used = {dataset for _, dataset, _ in self.scores}
        entries = [*self.study.analyses.values(), *(entry for part in parts.values() for entry in part.values())]
        used |= {name for entry in entries for _, section, name in entry.names() if section == "datasets"}
        used |= {part for name in used for _, _, part in self.study.datasets[name].names()}
        datasets = {name: dataset for name, dataset in self.study.datasets.items() if name in used}
        return self.study.model_copy(update={"datasets": datasets, **parts})

    @cached_property
    def _awaited(self) -> dict[str, int]:
        """How many entries are made from each, directly or not."""
        makes: dict[str, list[str]] = {}
        for node, sources in self.study.needs().items():
            for source in sources:
                makes.setdefault(source, []).append(node)
        found: dict[str, set[str]] = {}

        def below(node: str) -> set[str]:
            if node not in found:
                found[node] = set().union(*({made} | below(made) for made in makes.get(node, [])))
            return found[node]

        return {node: len(below(node)) for node in makes}

    def awaited(self, model: str | None) -> int:
        """How many models and rankers are made from a model: the most awaited is made first."""
        return self._awaited.get(f"models.{model}", 0)

    @cached_property
    def scores(self) -> dict[tuple[str, str, str], list[str]]:
        """Metrics asked of each (ranker, dataset, split), in the order they are first named; costs are no scores, nor
        is what is timed in turns."""
        asked: dict[tuple[str, str, str], list[str]] = {}
        for table in self.study.tables.values():
            for on, metrics in table.columns.items():
                of_each = [metric for metric in metrics if table.is_of_each(metric)]
                timed = self.study.timed(table.rankers) if any(map(is_timed, of_each)) else []
                for ranker in table.rankers:
                    known = asked.setdefault((ranker, *on), [])
                    found = [metric for metric in of_each if ranker in timed or not is_timed(metric)]
                    known += [metric for metric in found if metric not in known]
        return asked

    # --- datasets -------------------------------------------------------------------------------

    def dataset_settings(self, name: str) -> str:
        """Its definition, and how many rows it must have as far as that is known."""
        source = self.study.datasets[name]
        expected = source.expected_small() if self.config.rehearse else source.expected()
        return dump(source.model_dump(exclude_none=True) | ({"expected": expected} if expected else {}))

    @cached_property
    def downloads(self) -> dict[str, Download]:
        """The files that are fetched for all datasets and rankers of the study."""
        entries = (*self.study.datasets.values(), *self.study.rankers.values())
        return {name: file for entry in entries for name, file in entry.downloads().items()}

    def download_settings(self, file: str) -> str:
        """Where a file is from and what it must be; a mirror is another way to the same file."""
        return dump(vars(self.downloads[file]))

    def dataset_files(self, name: str) -> list[str]:
        """The files that a dataset is made of: fetched ones, or the user's; one that is not there is said at once."""
        source = self.study.datasets[name]
        if source.joins():
            return [self.dataset(part) for _, _, part in source.names()]
        if self.config.rehearse and source.has("rehearse"):
            return [f"{rehearsal.files(self.config, name)}/manifest.json"]
        if files := source.downloads():
            return [self.download(file) for file in files]
        try:
            files = source.files()
        except UserError as error:
            raise UserError(f"{self.config.study}: datasets.{name}: {error}") from None
        for file in files:
            if not Path(file).is_file():
                raise UserError(f"{self.config.study}: datasets.{name}: no file '{file}'")
        return files

    def refuse_missing_files(self) -> None:
        """Said before anything runs, of all that is asked for; what is named by `only` may need less."""
        for name in () if self.config.only else self.needed.datasets:
            self.dataset_files(name)
        for name in () if self.config.only else self.needed.rankers:
            self.ranker_files(name)

    def rehearse_settings(self, name: str) -> str:
        """What a dataset's tiny files are made from; the splits are those that the study asks for."""
        source = self.study.datasets[name]
        splits = {split for _, _, dataset, split in self.study.asked() if dataset == name}
        models = [model for model in self.study.models.values() if getattr(model, "data", None) == name]
        splits |= {model.split for model in models if hasattr(model, "split")}
        return dump(source.tiny(sorted(splits)) | {"source": source.tag(), "seed": self.config.seed})

    # --- the model graph ------------------------------------------------------------------------

    def parent(self, model: str, side: str = PASSAGES) -> str | None:
        """The model of this study that another starts from, or its encoder of queries, as far as that is said."""
        source = _source(self.study.models[model], side)
        return source if source in self.study.models else None

    def root(self, model: str, side: str = PASSAGES) -> tuple[str, Node]:
        """What begins the chain, scratch, a hub id or a folder, and the model that says so."""
        node = self.study.models[model]
        source = _source(node, side) or node.from_
        if source in self.study.models:
            return self.root(source, side)
        two = source.startswith("path:") and Path(source[5:], QUERY, "config.json").is_file()
        return (f"{source}/{QUERY}" if two and side == QUERIES else source), node

    def tokenizer_name(self, model: str, side: str = PASSAGES) -> str:
        return self._tokenizers[model, side][0]

    @cached_property
    def _tokenizers(self) -> dict[tuple[str, str], tuple[str, str, Node]]:
        """(name, source, the model that says it) of the tokenizer of each model's sides."""
        found = {}
        for model in self.study.models:
            for side in (PASSAGES, QUERIES):
                source, node = self.root(model, side)
                if source == "scratch":
                    name = f"{node.data}-{node.architecture.family}-{node.architecture.vocabulary}"
                else:
                    kind, _, where = source.partition(":")
                    name = f"{kind}--{rehearsal.flat(where)}"
                found[model, side] = name, source, node
        return found

    def tokenizer_root(self, tokenizer: str) -> tuple[str, Node]:
        return next((source, node) for name, source, node in self._tokenizers.values() if name == tokenizer)

    def tokenizer_inputs(self, tokenizer: str) -> Inputs:
        """The dataset that a new tokenizer is learned from; none when it is fetched."""
        source, node = self.tokenizer_root(tokenizer)
        return {
            "dataset": [self.dataset(node.data)] if source == "scratch" else [],
            "stand_in": self._stand_ins([source]),
        }

    def tokenizer_settings(self, tokenizer: str) -> str:
        source, node = self.tokenizer_root(tokenizer)
        learned = node.architecture.model_dump(include={"family", "vocabulary"}) if source == "scratch" else None
        return dump(learned or {"source": place(source)})

    def model_inputs(self, name: str) -> Inputs:
        model = self.study.models[name]
        return model.inputs(self, name) | {"stand_ins": self._stand_ins(model.sources.values())}

    def _stand_ins(self, sources: Iterable[str]) -> list[str]:
        """Of a rehearsal: what takes the place of released models."""
        begins = f"path:{rehearsal.stand_ins(self.config)}/"
        made = [source for source in sources if source.startswith(begins)] if self.config.rehearse else []
        return [f"{source.removeprefix('path:')}/manifest.json" for source in made]

    def stand_in_settings(self, name: str) -> str:
        return dump({"seed": self.config.seed, "source": self.stood_for[name]})

    def model_settings(self, name: str) -> str:
        return dump(self.study.models[name].work_settings(self.config))

    # --- negatives ------------------------------------------------------------------------------

    def negatives_name(self, model: str) -> str:
        retriever = self.study.models[model]
        made = [retriever.data, *retriever.negatives, retriever.negatives_by, retriever.negatives_settings(self.config)]
        return f"{'+'.join(retriever.negatives)[:60]}.{retriever.data}.{retriever.split}-{_digest(made)}"

    @cached_property
    def _with_negatives(self) -> dict[str, str]:
        """Negatives → a model that is trained on them."""
        models = [name for name, model in self.study.models.items() if getattr(model, "negatives", None)]
        return {self.negatives_name(name): name for name in models}

    def negatives_inputs(self, negatives: str) -> Inputs:
        retriever = self.study.models[self._with_negatives[negatives]]
        runs = [self.run(ranker, retriever.data, retriever.split) for ranker in retriever.negatives]
        judge = retriever.negatives_by and self.run(retriever.negatives_by, retriever.data, retriever.split)
        return {"dataset": [self.dataset(retriever.data)], "runs": runs, "judge": [judge] if judge else []}

    def negatives_settings(self, negatives: str) -> str:
        return dump(self.study.models[self._with_negatives[negatives]].negatives_settings(self.config))

    def negatives_priority(self, negatives: str) -> int:
        return self.awaited(self._with_negatives.get(negatives))

    # --- clusters of queries --------------------------------------------------------------------

    def clusters_name(self, of, dataset: str, split: str) -> str:
        made = [of.model, dataset, split, of.clusters_settings(self.config)]
        return f"{of.model[:60]}.{dataset}.{split}-{_digest(made)}"

    @cached_property
    def _clustered(self) -> dict[str, tuple[Kind, Kind, str]]:
        """Clusters → (what says how, the entry that has the queries, its name): an analysis, or a model by batches."""
        found = [(analysis, analysis, name) for name, analysis in self.study.analyses.items()]
        found += [(of.batches, of, name) for name, of in self.study.models.items() if hasattr(of, "batches")]
        made = [entry for entry in found if entry[0].clusters_settings(self.config)]
        return {self.clusters_name(of, entry.data, entry.split): (of, entry, name) for of, entry, name in made}

    def clusters_inputs(self, clusters: str) -> Inputs:
        of, entry, _ = self._clustered[clusters]
        return {"queries": self.embeddings(of.model, entry.data, f"queries.{entry.split}")}

    def clusters_settings(self, clusters: str) -> str:
        return dump(self._clustered[clusters][0].clusters_settings(self.config))

    def clusters_priority(self, clusters: str) -> int:
        return self.awaited(self._clustered[clusters][2]) if clusters in self._clustered else 0

    # --- vectors, rankers, scores ---------------------------------------------------------------

    def encode_settings(self, model: str, part: str, shard: int, shards: int) -> str:
        """How the texts of a part become inputs, and which of them do; queries have no title."""
        node, side = self.study.models[model], "passage" if part == "corpus" else "query"
        settings = {"length": getattr(node, f"{side}_length"), "prefix": getattr(node, f"{side}_prefix")}
        settings |= {"title": node.title} if part == "corpus" else {}
        settings |= {"augmented": True} if part != "corpus" and node.fills_queries else {}
        settings |= {"query_cut": "left"} if part != "corpus" and node.query_cut == "left" else {}
        settings |= {"part": part, "shard": shard, "shards": shards}
        return dump(settings | {"precision": self.config.precision, "vectors": self.config.vectors})

    def ranker_files(self, name: str) -> list[str]:
        """What a ranker reads that is made of no dataset: fetched, the user's, or of a rehearsal."""
        ranker = self.study.rankers[name]
        if self.config.rehearse and ranker.has("rehearse"):
            return [f"{rehearsal.files(self.config, f'ranker.{ranker.tag()}')}/manifest.json"]
        if files := ranker.downloads():
            return [self.download(file) for file in files]
        path = getattr(ranker, "path", None)
        if path and not Path(path).is_file():
            raise UserError(f"{self.config.study}: rankers.{name}: no file '{path}'")
        return [path] if path else []

    def ranker_rehearse_settings(self) -> str:
        return dump({"seed": self.config.seed})

    def derived_name(self, ranker: str) -> str:
        """Named after what makes it, so that rankers share it."""
        described = self.study.rankers[ranker]
        names = [name for _, _, name in described.names()]
        return f"{'+'.join(names)[:60]}-{_digest([described.tag(), names, described.derive_settings(self)])}"

    @cached_property
    def _deriving(self) -> dict[str, str]:
        """What is made of passages → a ranker that makes it."""
        rankers = [name for name, ranker in self.study.rankers.items() if ranker.function("derive")]
        return {self.derived_name(name): name for name in rankers}

    def deriving(self, derived: str) -> Ranker:
        return self.study.rankers[self._deriving[derived]]

    def derive_settings(self, derived: str, shard: int, shards: int) -> str:
        return dump(self.deriving(derived).derive_settings(self) | {"shard": shard, "shards": shards})

    def derive_inputs(self, derived: str, dataset: str) -> Inputs:
        return self.deriving(derived).derive_inputs(self, dataset)

    def index_settings(self, ranker: str) -> str:
        return dump(self.study.rankers[ranker].index_settings(self.config))

    def index_inputs(self, ranker: str, dataset: str) -> Inputs:
        return self.study.rankers[ranker].index_inputs(self, ranker, dataset)

    def rank_settings(self, ranker: str, split: str) -> str:
        return dump(self.study.rankers[ranker].rank_settings(self, split))

    def rank_inputs(self, ranker: str, dataset: str, split: str) -> Inputs:
        """Cross-checks see to it that a run which the study asks for can be had; one typed by hand is checked here."""
        described = self.study.rankers[ranker]
        for _, message in described.check_on(self.study, ranker, dataset, split, False):
            raise UserError(f"{self.config.study}: rankers.{ranker}: {message}")
        return described.rank_inputs(self, ranker, dataset, split)

    def live_settings(self, ranker: str, split: str) -> str:
        """Of a ranker that is asked typed questions."""
        return dump(self.study.rankers[ranker].latency_settings(self, split))

    def latency_settings(self, ranker: str, dataset: str, split: str) -> str:
        """How often which batches are timed: those that tables ask for, or all."""
        described, metrics = self.study.rankers[ranker], self.scores.get((ranker, dataset, split), [])
        asked = {entry(metric)[1] for metric in metrics if is_latency(metric)}
        settings = {"batches": self._batches(asked or BATCHES)}
        parts = {"parts": self._parts(ranker, dataset, split)} if described.asked_live() else {}
        return dump(described.latency_settings(self, split) | settings | parts)

    def _batches(self, sizes: Iterable[int]) -> dict[str, int]:
        """Queries at once: how often."""
        times = {size: min(BATCHES[size], REHEARSED) if self.config.rehearse else BATCHES[size] for size in sizes}
        return {str(size): times[size] for size in sorted(times)}

    def _parts(self, ranker: str, dataset: str, split: str) -> list[dict]:
        """What a ranker is made of."""
        return [self._part(name, dataset, split) for name in self.study.rankers[ranker].asked_live()]

    def _part(self, name: str, dataset: str, split: str) -> dict:
        """How a ranker is opened, and how many of the manifests in order are its."""
        part = self.study.rankers[name]
        return {
            "kind": part.tag(),
            "depth": part.depth,
            "settings": part.latency_settings(self, split),
            "takes": {flag: len(paths) for flag, paths in self.live_inputs(name, dataset).items()},
            "parts": self._parts(name, dataset, split),
        }

    def latency_inputs(self, ranker: str, dataset: str) -> Inputs:
        parts = {"parts": [*self._parts_inputs(ranker, dataset)]} if self.study.rankers[ranker].asked_live() else {}
        return {"dataset": [self.dataset(dataset)]} | self.live_inputs(ranker, dataset) | parts

    def _parts_inputs(self, ranker: str, dataset: str) -> Iterator[str]:
        """In the order of `_parts`, flags as sorted JSON has them."""
        for name in self.study.rankers[ranker].asked_live():
            yield from self._part_inputs(name, dataset)

    def _part_inputs(self, name: str, dataset: str) -> Iterator[str]:
        for _, paths in sorted(self.live_inputs(name, dataset).items()):
            yield from paths
        yield from self._parts_inputs(name, dataset)

    def latency_roots(self, ranker: str) -> list[str]:
        """What the fingerprint begins with: how its parts are asked counts, too."""
        described = self.study.rankers[ranker]
        return [*dict.fromkeys([*described.roots("latency"), *self._live_roots(described.asked_live())])]

    def _live_roots(self, rankers: list[str]) -> Iterator[str]:
        """Of these rankers and their parts."""
        todo = [*rankers]
        while todo:
            part = self.study.rankers[todo.pop()]
            yield f"{part.module()}:live"
            todo += part.asked_live()

    def live_inputs(self, ranker: str, dataset: str) -> Inputs:
        return self.study.rankers[ranker].live_inputs(self, ranker, dataset)

    # --- rankers that are timed in turns --------------------------------------------------------

    def turns_name(self, table: str, dataset: str, split: str) -> str:
        """No ranker has a + in its name."""
        rankers = self._timed_rankers(table)
        return f"turns+{'+'.join(rankers)[:60]}-{_digest([rankers, self._timed(table, dataset, split)])}"

    def _timed(self, table: str, dataset: str, split: str) -> dict:
        """How often which batches are timed."""
        described = self.study.tables[table]
        sizes = {int(metric.split("@")[1]) for metric in described.columns[dataset, split] if is_timed(metric)}
        return {"batches": self._batches(sizes), "turns": self._turns(described)}

    def _turns(self, table: Table) -> int | None:
        return min(table.turns, TURNS) if table.turns and self.config.rehearse else table.turns

    @cached_property
    def _in_turns(self) -> dict[tuple[str, str, str], str]:
        """(name, dataset, split) of what is timed in turns → a table that asks for it."""
        return {
            (self.turns_name(name, *place), *place): name
            for name, table in self.study.tables.items()
            for place, metrics in table.columns.items()
            if table.timed_in_turns(metrics)
        }

    def turns_rankers(self, turns: str, dataset: str, split: str) -> list[str]:
        return self._timed_rankers(self._in_turns[turns, dataset, split])

    def _timed_rankers(self, table: str) -> list[str]:
        """Those of a table that can be timed; the others have none of it."""
        return self.study.timed(self.study.tables[table].rankers)

    def turns_settings(self, turns: str, dataset: str, split: str) -> str:
        table = self._in_turns[turns, dataset, split]
        rankers = [{"name": name} | self._part(name, dataset, split) for name in self._timed_rankers(table)]
        settings = {"rankers": rankers, "split": split, "seed": self.config.seed}
        return dump(settings | self._timed(table, dataset, split))

    def turns_inputs(self, turns: str, dataset: str, split: str) -> Inputs:
        parts = [one for name in self.turns_rankers(turns, dataset, split) for one in self._part_inputs(name, dataset)]
        return {"dataset": [self.dataset(dataset)], "parts": parts}

    def turns_roots(self, turns: str, dataset: str, split: str) -> list[str]:
        """What the fingerprint begins with."""
        return [*dict.fromkeys(["turns", *self._live_roots(self.turns_rankers(turns, dataset, split))])]

    # --- what rankers cost ----------------------------------------------------------------------

    def cost_inputs(self, ranker: str, dataset: str) -> Inputs:
        """What a ranker, and all others that it asks, are made of: models, and what is made of passages."""
        found: Inputs = {"models": [], "vectors": [], "derived": [], "indexes": []}
        of_folder = {f"{self.results}/{folder}/": flag for folder, flag in MADE.items()}
        todo = [ranker]
        for name in todo:
            described = self.study.rankers[name]
            found["models"] += [self.model(one) for _, section, one in described.names() if section == "models"]
            built = bool(described.function("index"))
            found["indexes"] += [self.index(name, dataset)] if built else []
            inputs = self.index_inputs(name, dataset) if built else {}
            inputs = inputs or (self.live_inputs(name, dataset) if described.has("live") else {})
            for path in (path for paths in inputs.values() for path in paths):
                for folder, flag in of_folder.items():
                    found[flag] += [path] if path.startswith(folder) else []
            todo += [one for one in described.asked_live() if one not in todo]
        return {flag: [*dict.fromkeys(paths)] for flag, paths in found.items()}

    # --- scores, and analyses -------------------------------------------------------------------

    def evaluate_inputs(self, ranker: str, dataset: str, split: str) -> Inputs:
        """A run, the exact one that it approximates, and how long answers took, where that is asked for."""
        described = self.study.rankers[ranker]
        exact, asked = described.exact(self.study), any(map(is_latency, self.scores[ranker, dataset, split]))
        in_turns = any(
            (dataset, split) == place[1:] and ranker in self.turns_rankers(*place) for place in self._in_turns
        )
        timed = asked or (exact and described.function("latency") and not in_turns)
        return {
            "dataset": [self.dataset(dataset)],
            "run": [self.run(ranker, dataset, split)],
            "exact": [self.run(exact, dataset, split)] if exact else [],
            "latency": [self.latency(ranker, dataset, split)] if timed else [],
        }

    def measured(self, examples: bool) -> list[str]:
        """The rankers whose runs are measured: of passages, or of the texts of examples."""
        return [name for name, ranker in self.study.rankers.items() if ranker.of_examples == examples]

    def evaluate_settings(self, ranker: str, dataset: str, split: str) -> str:
        settings = {"split": split, "metrics": self.scores[ranker, dataset, split]}
        if exact := self.study.rankers[ranker].exact(self.study):
            settings |= {"depth": min(self.study.rankers[name].depth for name in (ranker, exact))}
        return dump(settings)

    def analysis_inputs(self, name: str) -> Inputs:
        return self.study.analyses[name].inputs(self)

    def analysis_settings(self, name: str) -> str:
        return dump(self.study.analyses[name].work_settings(self.config))

    # --- tables and the report ------------------------------------------------------------------

    def compare_settings(self, name: str) -> str:
        """What not each query has a value of is not compared."""
        table = self.study.tables[name]
        places = [
            {"dataset": dataset, "split": split, "metrics": [metric for metric in metrics if is_tested(metric)]}
            for (dataset, split), metrics in table.columns.items()
        ]
        settings = {"baseline": table.baseline, "rankers": table.rankers, "places": places}
        return dump(settings | {"seed": self.config.seed})

    def _explored_places(self, name: str) -> dict[tuple[str, str], str]:
        """(dataset, split) → the first metric that each query has, where several rankers have found passages."""
        table = self.study.tables[name]
        if len(table.rankers) < 2 or any(self.study.rankers[ranker].of_examples for ranker in table.rankers):
            return {}
        found = {place: next(filter(is_tested, metrics), None) for place, metrics in table.columns.items()}
        return {place: metric for place, metric in found.items() if metric}

    def explore_settings(self, name: str) -> str:
        places = [
            {"dataset": dataset, "split": split, "metric": metric}
            for (dataset, split), metric in self._explored_places(name).items()
        ]
        return dump({"rankers": self.study.tables[name].rankers, "places": places})

    def explore_inputs(self, name: str) -> Inputs:
        """Of each place in order, runs and scores of all rankers."""
        rankers, places = self.study.tables[name].rankers, self._explored_places(name)
        return {
            "datasets": [self.dataset(dataset) for dataset, _ in places],
            "runs": [self.run(ranker, *place) for place in places for ranker in rankers],
            "scores": [self.score(ranker, *place) for place in places for ranker in rankers],
        }

    def table_settings(self, name: str) -> str:
        """With `paper`, also what its table has where this one measures, under this study's names of the places."""
        table = self.study.tables[name]
        settings = table.model_dump(include={"title", "rankers", "baseline"})
        settings["columns"] = [{"on": "/".join(place), "metrics": metrics} for place, metrics in table.columns.items()]
        settings |= {"turns": self._turns(table)} if table.turns else {}
        if not table.paper:
            return dump(settings | {"paper": None})
        published = {ranker: self.study.rankers[ranker].published for ranker in table.rankers}
        paper = {"rows": self._printed_rows(table), **cited(table.paper)}
        paper["reproduces"] = {ranker: str(row) for ranker, row in published.items() if row}
        said = {"tolerance", "absent"} | ({"published_on"} if table.published_on else set())
        return dump(settings | {"paper": paper | table.model_dump(include=said)})

    def _printed_rows(self, table: Table) -> list[dict]:
        printed, rows = printed_table(table.paper), []
        for one in printed.rows:
            row = {"row": str(one.row), "name": printed.names[one.row], "system": one.row.system, "note": one.note}
            row |= {"setting": setting_text(one.row), "inferred": one.inferred, "figures": {}, "suspect": {}}
            for (dataset, split), metrics in table.columns.items():
                theirs = self.study.in_papers(table, dataset, split)
                figures, suspect = one.on.get(theirs, {}), one.suspect.get(theirs, [])
                row["figures"][f"{dataset}/{split}"] = {m: str(figures[m]) for m in metrics if m in figures}
                row["suspect"][f"{dataset}/{split}"] = [metric for metric in metrics if metric in suspect]
                if sd := {m: str(one.sd[theirs][m]) for m in metrics if m in one.sd.get(theirs, {})}:
                    row.setdefault("sd", {})[f"{dataset}/{split}"] = sd
            rows.append(row)
        return rows

    def report_settings(self) -> str:
        """The study goes as a string, which keeps the order of its entries."""
        described = self.needed.model_dump_json(by_alias=True, exclude_defaults=True)
        papers = {name: cited(table.paper) for name, table in self.study.tables.items() if table.paper}
        config = self.config.model_dump(include=set(SHAPING))
        return dump({"study": described, "papers": papers, "config": config, "cites": sorted(self.needed.cited())})

    @property
    def command(self) -> str:
        """What makes the same again, whatever config.yaml says; where it is made is left to that."""
        values = {"study": self.config.study} | ({"rehearse": "true"} if self.config.rehearse else {})
        values |= {key: getattr(self.config, key) for key in SHAPING}
        words = [shlex.quote(f"{key}={value}") for key, value in values.items()]
        return f".venv/bin/snakemake --cores all --config {' '.join(words)}"

    def _refuse_foreign_datasets(self) -> None:
        """A dataset that another study defined otherwise is never silently made anew."""
        for name in self.study.datasets:
            manifest = Path(self.dataset(name))
            if manifest.exists():
                record = read_manifest(manifest)
                if record["facts"]["study"] != self.config.study and dump(record["settings"]) != self.dataset_settings(
                    name
                ):
                    raise UserError(
                        f"{self.config.study}: datasets.{name}: {record['facts']['study']} made {manifest.parent} from "
                        "another definition; use another name, or delete that folder"
                    )

    # --- whose results these are ----------------------------------------------------------------

    @property
    def _owner(self) -> Path:
        """Says which study's results lie here: files of one name in two folders would overwrite each other's."""
        return Path(self.results) / ".study"

    def claim_results(self) -> None:
        self._owner.parent.mkdir(parents=True, exist_ok=True)
        self._owner.write_text(f"{self.config.study}\n", encoding="utf-8")

    def _refuse_foreign_results(self) -> None:
        if self._owner.is_file():
            other, ours = found(self._owner.read_text(encoding="utf-8").strip()), found(self.config.study)
            if other.is_file() and not other.samefile(ours):
                raise UserError(f"{ours}: {self.results} has the results of {other}; give this file another name")


def written(study: str | None = None) -> dict[str, object]:
    """What config.yaml says, the project's and that of the working directory, with another study if one is named."""
    values = {key: value for path in (PROJECT / "config.yaml", Path("config.yaml")) for key, value in read(path)}
    return values | ({"study": study} if study else {})


def places(study: str | None = None) -> tuple[str, str, str]:
    """(study, output, data) as config.yaml has them; the study itself is not read."""
    config = load_config(written(study))
    apart = f"/{rehearsal.APART}" if config.rehearse else ""
    return config.study, f"{config.output}{apart}", f"{config.data}{apart}"


def read(config: Path) -> Iterable[tuple[str, object]]:
    """What a config.yaml says, if there is one."""
    return (parse(config) or {}).items() if config.is_file() else ()


def found(study: str) -> Path:
    """A study below the working directory, or else of the project."""
    return Path(study) if Path(study).is_file() or not (PROJECT / study).is_file() else PROJECT / study


def _source(model: Node, side: str) -> str | None:
    """What the encoder of a side starts from, as far as it is said."""
    return model.sources.get("query_from" if side == QUERIES else "from")


def _digest(made: list) -> str:
    """The end of the name of what is named after what makes it."""
    return hashlib.sha256(dump(made).encode()).hexdigest()[:8]


def dump(settings) -> str:
    """JSON that also stands in a script of an HTML page, as in Snakemake's reports, without ending it."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return text.replace("</", r"<\/").replace("<!", r"<\u0021")
