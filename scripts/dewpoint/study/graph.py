"""What the rules ask of a study: which artifact needs which, and exactly the settings that each one consumes.

Settings are sorted JSON. What cannot change a result is not in them; another artifact is never in them, it is an input.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml

from dewpoint.artifact import read_manifest
from dewpoint.data import catalogue
from dewpoint.data.sources.reading import find, qrels, text_files
from dewpoint.errors import UserError
from dewpoint.study import rehearsal
from dewpoint.study.grammar import (
    Beir,
    Config,
    Dense,
    Fusion,
    Model,
    Node,
    Pydocs,
    Retriever,
    RunFiles,
    Study,
    Table,
    Tevatron,
    Text,
    Vectors,
    is_latency,
)
from dewpoint.study.load import asked_runs, lacks, load_config, load_study, needs
from dewpoint.study.published import cited, printed_table, setting_text
from dewpoint.study.rehearsal import rehearsed, stood_for

INPUTS = {"query_length", "passage_length", "query_prefix", "passage_prefix", "title"}  # how texts become inputs
ARTIFACTS = {"from_", "query_from", "data", "negatives", "published"}
NEGATIVES = {"negatives_depth": "depth", "negatives_kept": "kept", "negatives_without": "without"}
AT_SEARCH = ("efSearch", "nprobe")  # parameters that can be changed once an index is built
PASSAGES, QUERIES = "passages", "queries"  # the two sides of a retriever
QUERY = "query"  # where in a retriever's folder an encoder of queries lies


@dataclass(frozen=True)
class Graph:
    config: Config
    study: Study
    stood_for: dict[str, str] = field(default_factory=dict)  # of a rehearsal: stand-in → released model

    @classmethod
    def load(cls, values: dict) -> "Graph":
        """From what Snakemake read of config.yaml and --config."""
        config = load_config(values)
        study = load_study(Path(config.study))
        graph = cls(*rehearsed(config, study), stood_for(study)) if config.rehearse else cls(config, study)
        graph._refuse_foreign_datasets()
        return graph

    @classmethod
    def of_config(cls, study: str | None) -> "Graph":
        """As config.yaml has it, of another study if one is named."""
        config = yaml.safe_load(Path("config.yaml").read_text())
        return cls.load(config | ({"study": study} if study else {}))

    # --- where things lie -----------------------------------------------------------------------

    @property
    def data(self) -> str:
        return self.config.data

    @property
    def results(self) -> str:
        return f"{self.config.output}/{Path(self.config.study).stem}"

    def dataset(self, name: str) -> str:
        return f"{self.data}/{name}/manifest.json"

    def model(self, name: str) -> str:
        return f"{self.results}/models/{name}/manifest.json"

    def tokenizer(self, model: str, side: str = PASSAGES) -> str:
        return f"{self.data}/tokenizers/{self.tokenizer_name(model, side)}/manifest.json"

    def tokens(self, model: str, dataset: str, side: str = PASSAGES) -> str:
        return f"{self.data}/{dataset}/tokens/{self.tokenizer_name(model, side)}/manifest.json"

    def run(self, ranker: str, dataset: str, split: str) -> str:
        return f"{self.results}/runs/{ranker}/{dataset}.{split}.json"

    def run_file(self, ranker: str, dataset: str, split: str) -> str:
        """The user's file with a run; cross-checks see to it that what a study needs is there."""
        files = self.study.rankers[ranker]
        assert isinstance(files, RunFiles)
        if dataset != files.on or split not in files.runs:
            raise UserError(f"{self.config.study}: rankers.{ranker}: {lacks(ranker, files, dataset, split)}")
        return files.runs[split]

    def fused_runs(self, ranker: str, dataset: str, split: str) -> list[str]:
        return [self.run(part, dataset, split) for part in self.study.rankers[ranker].of]

    def tuned_runs(self, ranker: str, dataset: str) -> list[str]:
        """What the weights of a fusion are tuned on."""
        return self.fused_runs(ranker, dataset, self.study.rankers[ranker].tune.split)

    def tuned(self, ranker: str, dataset: str) -> list[str]:
        """The weights of a fusion that are tuned on a dataset; none when the study says them."""
        return [f"{self.results}/fusions/{ranker}/{dataset}.json"] if self.study.rankers[ranker].tune else []

    def score(self, ranker: str, dataset: str, split: str) -> str:
        return f"{self.results}/scores/{ranker}/{dataset}.{split}.json"

    def latency(self, ranker: str, dataset: str, split: str) -> str:
        return f"{self.results}/latency/{ranker}/{dataset}.{split}.json"

    def index(self, ranker: str, dataset: str) -> str:
        return f"{self.results}/indexes/{ranker}/{dataset}/manifest.json"

    def embeddings(self, model: str, dataset: str, part: str) -> list[str]:
        """The shards of a part: `corpus`, or `queries.<split>`, which is always one."""
        shards = self.config.shards if part == "corpus" else 1
        folder = f"{self.results}/embeddings/{model}/{dataset}"
        return [f"{folder}/{part}-{shard}of{shards}.json" for shard in range(shards)]

    def table(self, name: str) -> list[str]:
        return [f"{self.results}/tables/{name}.{suffix}" for suffix in ("csv", "md")]

    def table_scores(self, name: str) -> list[str]:
        table = self.study.tables[name]
        return [self.score(ranker, *place) for place in table.columns for ranker in table.rankers]

    def comparison(self, name: str) -> str:
        return f"{self.results}/comparisons/{name}.json"

    def comparisons(self, name: str) -> list[str]:
        """The tests of a table's rankers against its baseline, if it has one."""
        return [self.comparison(name)] if self.study.tables[name].baseline else []

    @property
    def all_scores(self) -> list[str]:
        return [self.score(*key) for key in self.scores]

    @property
    def all_models(self) -> list[str]:
        return [self.model(name) for name in self.needed.models]

    @cached_property
    def needed(self) -> Study:
        """What the tables need of the study, with all that it is made from; every model when there is no table."""
        todo = [f"rankers.{ranker}" for ranker, _, _ in self.scores]
        todo += [] if self.study.tables else [f"models.{model}" for model in self.study.models]
        edges, found = needs(self.study), set()
        while todo:
            node = todo.pop()
            todo += edges[node] if node not in found else []
            found.add(node)
        models = {name: model for name, model in self.study.models.items() if f"models.{name}" in found}
        rankers = {name: ranker for name, ranker in self.study.rankers.items() if f"rankers.{name}" in found}
        used = {dataset for _, dataset, _ in self.scores}
        used |= {model.data for model in models.values() if isinstance(model, Model)}
        datasets = {name: dataset for name, dataset in self.study.datasets.items() if name in used}
        return self.study.model_copy(update={"datasets": datasets, "models": models, "rankers": rankers})

    def waiting(self, model: str) -> int:
        """How many models and rankers are made from a model, directly or not: the most awaited is made first."""
        edges, found = needs(self.study), {f"models.{model}"}
        while more := {node for node, sources in edges.items() if found & set(sources)} - found:
            found |= more
        return len(found) - 1

    def training_runs(self, model: str) -> list[str]:
        """The runs over its training queries that give a retriever its negatives."""
        retriever = self.study.models[model]
        return [self.run(ranker, retriever.data, retriever.split) for ranker in retriever.negatives]

    def development_runs(self, model: str) -> list[str]:
        """The runs over its development queries, whose best passages it is measured on while it is trained."""
        retriever = self.study.models[model]
        if not retriever.development:
            return []
        return [self.run(ranker, retriever.data, retriever.development.split) for ranker in retriever.negatives]

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
        source, node = self.root(model, side)
        if source == "scratch":
            return f"{node.data}-{node.architecture.family}-{node.architecture.vocabulary}"
        kind, _, place = source.partition(":")
        return f"{kind}--{place.strip('/').replace('/', '--')}"

    def tokenizer_root(self, tokenizer: str) -> tuple[str, Node]:
        sides = ((name, side) for name in self.study.models for side in (PASSAGES, QUERIES))
        return next(self.root(*side) for side in sides if self.tokenizer_name(*side) == tokenizer)

    def tokenizer_data(self, tokenizer: str) -> list[str]:
        """The dataset that a new tokenizer is learned from; none when it is fetched."""
        source, node = self.tokenizer_root(tokenizer)
        return [self.dataset(node.data)] if source == "scratch" else []

    def tokenizer_stand_in(self, tokenizer: str) -> list[str]:
        source, _ = self.tokenizer_root(tokenizer)
        return self._stand_ins([source])

    def stand_ins(self, model: str) -> list[str]:
        """Of a rehearsal: what takes the place of the released models that a model starts from."""
        return self._stand_ins(self.study.models[model].sources.values())

    def _stand_ins(self, sources: Iterable[str]) -> list[str]:
        begins = f"path:{rehearsal.stand_ins(self.config)}/"
        made = [source for source in sources if source.startswith(begins)] if self.config.rehearse else []
        return [f"{source.removeprefix('path:')}/manifest.json" for source in made]

    def with_recipe(self, recipe: str) -> list[str]:
        return [name for name, model in self.study.models.items() if model.recipe == recipe]

    def with_kind(self, kind: str) -> list[str]:
        return [name for name, ranker in self.study.rankers.items() if ranker.kind == kind]

    def with_index(self, approximate: bool) -> list[str]:
        """Dense rankers that have an approximate index, or search exactly."""
        return [name for name in self.with_kind("dense") if self.approximate(name) == approximate]

    def approximate(self, ranker: str) -> bool:
        index = getattr(self.study.rankers[ranker], "index", None)
        return index is not None and index.name != "flat"

    def exact_ranker(self, ranker: str) -> str:
        """The ranker that searches exactly what another searches by an index; the deepest of several."""
        model = self.dense_model(ranker)
        same = [name for name in self.with_index(approximate=False) if self.dense_model(name) == model]
        return max(same, key=lambda name: self.study.rankers[name].depth)

    def exact_run(self, ranker: str, dataset: str, split: str) -> list[str]:
        """What the run of an approximate index is compared with."""
        return [self.run(self.exact_ranker(ranker), dataset, split)] if self.approximate(ranker) else []

    def latencies(self, ranker: str, dataset: str, split: str) -> list[str]:
        """The latency of an approximate index, and where it is asked for."""
        asked = any(map(is_latency, self.scores[ranker, dataset, split]))
        return [self.latency(ranker, dataset, split)] if asked or self.approximate(ranker) else []

    def answering(self, ranker: str, dataset: str) -> dict[str, list[str]]:
        """What a ranker needs to answer questions: BM25 its index, others a model and its vectors or their index."""
        dense, indexed = self.study.rankers[ranker].kind == "dense", self.approximate(ranker)
        model = self.dense_model(ranker) if dense else ""
        return {
            "model": [self.model(model)] if dense else [],
            "corpus": self.embeddings(model, dataset, "corpus") if dense and not indexed else [],
            "index": [] if dense and not indexed else [self.index(ranker, dataset)],
        }

    @property
    def tuned_rankers(self) -> list[str]:
        return [name for name, ranker in self.study.rankers.items() if isinstance(ranker, Fusion) and ranker.tune]

    @cached_property
    def scores(self) -> dict[tuple[str, str, str], list[str]]:
        """Metrics asked of each (ranker, dataset, split), in the order they are first named."""
        asked: dict[tuple[str, str, str], list[str]] = {}
        for table in self.study.tables.values():
            for place, metrics in table.columns.items():
                for ranker in table.rankers:
                    known = asked.setdefault((ranker, *place), [])
                    known += [metric for metric in metrics if metric not in known]
        return asked

    # --- settings -------------------------------------------------------------------------------

    def dataset_settings(self, name: str) -> str:
        """Its definition, and how many rows it must have as far as that is known."""
        definition = self.study.datasets[name].model_dump(exclude_none=True)
        expected = (rehearsal.expected if self.config.rehearse else catalogue.expected)(**definition)
        return dump(definition | ({"expected": expected} if expected else {}))

    def download(self, file: str) -> str:
        return f"{self.data}/downloads/{file}.json"

    @property
    def downloads(self) -> dict[str, catalogue.Download]:
        """The files that are fetched for all datasets of the study."""
        sources = (catalogue.downloads(**dataset.model_dump()) for dataset in self.study.datasets.values())
        return {name: file for files in sources for name, file in files.items()}

    def download_settings(self, file: str) -> str:
        """Where a file is from and what it must be; a mirror is another way to the same file."""
        return dump(vars(self.downloads[file]))

    def dataset_files(self, name: str) -> list[str]:
        """The files that a dataset is made of: fetched ones, or the user's; one that is not there is said at once."""
        dataset = self.study.datasets[name]
        if self.config.rehearse and not isinstance(dataset, Pydocs):
            return [f"{rehearsal.files(self.config, name)}/manifest.json"]
        if files := catalogue.downloads(**dataset.model_dump()):
            return [self.download(file) for file in files]
        if isinstance(dataset, Pydocs):
            return []
        if isinstance(dataset, Tevatron):
            return [str(path) for path in text_files([*dataset.corpus, *dataset.queries.values()])]
        if isinstance(dataset, Beir):
            files = beir_files(Path(dataset.path))
        elif isinstance(dataset, Text):
            files = [str(path) for path in text_files(dataset.files)]
        else:
            files = [dataset.corpus.file, *(f.file for f in (*dataset.queries.values(), *dataset.judgements.values()))]
        for file in files:
            if not Path(file).is_file():
                raise UserError(f"{self.config.study}: datasets.{name}: no file '{file}'")
        return files

    def rehearse_settings(self, name: str) -> str:
        """A dataset's definition; of a folder that does not say its splits, those that the study asks for."""
        definition = self.study.datasets[name].model_dump() | {"seed": self.config.seed}
        if not isinstance(self.study.datasets[name], Beir):
            return dump(definition)
        splits = {split for _, _, dataset, split in asked_runs(self.study) if dataset == name}
        splits |= {
            model.split for model in self.study.models.values() if isinstance(model, Retriever) and model.data == name
        }
        return dump(definition | {"splits": sorted(splits)})

    def stand_in_settings(self, place: str) -> str:
        return dump({"seed": self.config.seed, "source": self.stood_for[place]})

    def tokenizer_settings(self, tokenizer: str) -> str:
        source, node = self.tokenizer_root(tokenizer)
        learned = node.architecture.model_dump(include={"family", "vocabulary"}) if source == "scratch" else None
        return dump(learned or {"source": place(source)})

    def model_settings(self, name: str) -> str:
        model = self.study.models[name]
        settings = model.model_dump(exclude=ARTIFACTS | INPUTS | NEGATIVES.keys() | {"negatives_seed"})
        settings |= {"seed": self.seed(model), "source": place(model.from_)}
        if isinstance(model, Model):
            settings |= {"precision": self.config.precision}
        if isinstance(model, Vectors):
            settings |= model.model_dump(include=INPUTS) | {
                "query_source": model.query_from and place(model.query_from)
            }
        if isinstance(model, Retriever):
            wanted = None if model.train_queries == "all" else model.train_queries
            settings |= {"negatives_per_query": model.beside, "train_queries": wanted}
            settings |= {"train_query_length": model.train_query_length or model.query_length}
        return dump(settings)

    def negatives_settings(self, name: str) -> str:
        model = self.study.models[name]
        settings = {short: getattr(model, long) for long, short in NEGATIVES.items()}
        seed = self.seed(model) if model.negatives_seed is None else model.negatives_seed
        return dump(settings | {"seed": seed, "split": model.split})

    def encode_settings(self, model: str, part: str) -> str:
        """How the texts of a part become inputs; queries have no title."""
        node, side = self.study.models[model], "passage" if part == "corpus" else "query"
        settings = {"length": getattr(node, f"{side}_length"), "prefix": getattr(node, f"{side}_prefix")}
        settings |= {"title": node.title} if part == "corpus" else {}
        return dump(settings | {"part": part, "precision": self.config.precision, "vectors": self.config.vectors})

    def bm25_settings(self, ranker: str) -> str:
        return dump(self.study.rankers[ranker].model_dump(exclude={"kind", "depth", "published"}))

    def rank_settings(self, ranker: str, split: str) -> str:
        """BM25 and a file's run read the split's queries themselves; a dense ranker is handed their vectors."""
        described = self.study.rankers[ranker]
        settings = {"depth": described.depth}
        settings |= {"split": split} if described.kind in ("bm25", "file", "given") else {}
        settings |= {"list": described.list} if described.kind == "given" else {}
        return dump(settings | ({"parameters": self.parameters(ranker)} if self.approximate(ranker) else {}))

    def index_settings(self, ranker: str) -> str:
        """What an index is built with; parameters of its search do not build it anew."""
        index = self.study.rankers[ranker].index.model_dump(exclude=set(AT_SEARCH) | {"search"})
        return dump({"index": index, "seed": self.config.seed})

    def latency_settings(self, ranker: str, split: str) -> str:
        described = self.study.rankers[ranker]
        settings = {"depth": described.depth, "seed": self.config.seed, "split": split}
        if isinstance(described, Dense):
            node = self.study.models[described.model]
            settings |= {"query_length": node.query_length, "query_prefix": node.query_prefix}
            settings |= {"precision": self.config.precision, "parameters": self.parameters(ranker)}
        return dump(settings)

    def parameters(self, ranker: str) -> dict[str, float]:
        """FAISS's parameters of a search."""
        index = self.study.rankers[ranker].index
        known = {name: getattr(index, name) for name in AT_SEARCH if hasattr(index, name)}
        return known | getattr(index, "search", {})

    def fuse_settings(self, ranker: str) -> str:
        fusion = self.study.rankers[ranker]
        assert isinstance(fusion, Fusion)
        settings = self._shares(fusion) | {"depth": fusion.depth}
        return dump(settings if fusion.tune else settings | {"weights": fusion.weights or [1.0] * len(fusion.of)})

    def tune_settings(self, ranker: str) -> str:
        fusion = self.study.rankers[ranker]
        assert isinstance(fusion, Fusion)
        return dump(self._shares(fusion) | fusion.tune.model_dump())

    def _shares(self, fusion: Fusion) -> dict:
        """How a ranker's rows become what they add to a fusion."""
        return fusion.model_dump(include={"method", "k" if fusion.method == "reciprocal_rank" else "scale"})

    def evaluate_settings(self, ranker: str, dataset: str, split: str) -> str:
        settings = {"split": split, "metrics": self.scores[ranker, dataset, split]}
        if self.approximate(ranker):
            both = (self.study.rankers[name].depth for name in (ranker, self.exact_ranker(ranker)))
            settings |= {"depth": min(both)}
        return dump(settings)

    def compare_settings(self, name: str) -> str:
        """Latency is not compared."""
        table = self.study.tables[name]
        places = [
            {"dataset": dataset, "split": split, "metrics": [metric for metric in metrics if not is_latency(metric)]}
            for (dataset, split), metrics in table.columns.items()
        ]
        settings = {"baseline": table.baseline, "rankers": table.rankers, "places": places}
        return dump(settings | {"seed": self.config.seed})

    def table_settings(self, name: str) -> str:
        """With `paper`, also what its table has where this one measures, under this study's names of the places."""
        table = self.study.tables[name]
        settings = table.model_dump(include={"title", "rankers", "baseline"})
        settings["columns"] = [{"on": "/".join(place), "metrics": metrics} for place, metrics in table.columns.items()]
        if not table.paper:
            return dump(settings | {"paper": None})
        published = {ranker: self.study.rankers[ranker].published for ranker in table.rankers}
        paper = {"rows": self._printed_rows(table), **cited(table.paper)}
        paper["reproduces"] = {ranker: str(row) for ranker, row in published.items() if row}
        return dump(settings | {"paper": paper | table.model_dump(include={"tolerance", "absent"})})

    def _printed_rows(self, table: Table) -> list[dict]:
        printed, rows = printed_table(table.paper), []
        for one in printed.rows:
            row = {"row": str(one.row), "name": printed.names[one.row], "system": one.row.system, "note": one.note}
            row |= {"setting": setting_text(one.row), "inferred": one.inferred, "figures": {}, "suspect": {}}
            for (dataset, split), metrics in table.columns.items():
                theirs = "/".join(self.study.datasets[dataset].in_papers(dataset, split))
                figures, suspect = one.on.get(theirs, {}), one.suspect.get(theirs, [])
                row["figures"][f"{dataset}/{split}"] = {m: str(figures[m]) for m in metrics if m in figures}
                row["suspect"][f"{dataset}/{split}"] = [metric for metric in metrics if metric in suspect]
            rows.append(row)
        return rows

    def report_settings(self) -> str:
        """The study goes as a string, which keeps the order of its entries."""
        described = self.needed.model_dump_json(by_alias=True, exclude_defaults=True)
        papers = {name: cited(table.paper) for name, table in self.study.tables.items() if table.paper}
        return dump({"data": self.data, "results": self.results, "study": described, "papers": papers})

    def seed(self, model: Node) -> int:
        own = getattr(model, "seed", None)
        return self.config.seed if own is None else own

    def dense_model(self, ranker: str) -> str:
        dense = self.study.rankers[ranker]
        assert isinstance(dense, Dense)
        return dense.model

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


def beir_files(folder: Path) -> list[str]:
    """corpus, queries and qrels of a BEIR folder, as they are, plain or compressed."""
    judgements = qrels(folder)
    if not judgements:
        raise UserError(f"{folder}: no qrels/<split>.tsv in it, plain or compressed")
    return [str(path) for path in (find(folder / "corpus.jsonl"), find(folder / "queries.jsonl"), *judgements.values())]


def place(source: str) -> str:
    """What from_pretrained takes: a hub id or a folder; `scratch` and the study's own models stay as they are."""
    _, colon, place = source.partition(":")
    return place if colon else ("scratch" if source == "scratch" else "study")


def _source(model: Node, side: str) -> str | None:
    """What the encoder of a side starts from, as far as it is said."""
    return model.sources.get("query_from" if side == QUERIES else "from")


def dump(settings: dict) -> str:
    return json.dumps(settings, sort_keys=True, ensure_ascii=False)
