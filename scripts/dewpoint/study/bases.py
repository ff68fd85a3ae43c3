"""What all kinds of a section have in common: sources, recipes, rankers, losses, batches, analyses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.data.catalogue import Download
from dewpoint.data.pretrained import HUB
from dewpoint.study.kind import For, Kind, Names, outside
from dewpoint.study.sizes import Cost, Sizes, prepared, written
from dewpoint.study.types import Count, Grade, Name, Row, Seed, Share

Asked = tuple[str, str, str, str]  # (key that asks, ranker, dataset, split) of a run
Inputs = dict[str, list[str]]  # flag of the program → manifests
PUBLISHED = Field(None, description="the row of papers that it reproduces: {system: BERT, train: full, neg: bm25}")
MODEL_FILES = ("config.json", "modules.json")
QUERY = "query"  # where in a retriever's folder an encoder of queries lies
PASSAGES, QUERIES = "passages", "queries"  # the two sides of a retriever


@dataclass(frozen=True)
class Resources:
    """What a job asks of a machine; memory and time grow with each attempt."""

    mem_mb: int
    runtime: int  # minutes
    # of the cores that Snakemake has, or what config.yaml sets for trainings; small models share a machine better
    threads: int | Literal["half", "all", "training"] = 1
    gpu: int = 0
    all_gpus: bool = False  # a training, which is shared by all that it is given


# --- datasets -----------------------------------------------------------------------------------


class Source(Kind):
    """A dataset's definition, and what it says of the dataset before that is prepared.

    Its module has `write(writer, …)`, which hands the rows over, and where there are files
    `rehearse(folder, words, …)`, which makes tiny ones of the same formats; both are called with the fields.
    """

    resources: ClassVar[Resources] = Resources(mem_mb=4000, runtime=120)  # of preparing it
    average_words: ClassVar[float] = 80  # of a passage
    estimated: ClassVar[int] = 0  # passages, where no one says how many
    has_passages: ClassVar[bool] = True  # what can be searched, or read on its own

    relevant: Grade | None = Field(
        None, description="grade from which a passage counts as relevant, in all splits; left out: as the source has it"
    )

    @property
    def judged(self) -> list[str] | None:
        """The splits with queries and judgements; None when only files not yet there can tell."""
        return []

    @property
    def answered(self) -> list[str] | None:
        """The splits whose queries may have answers, judged or not; None as above."""
        return []

    @property
    def proven(self) -> list[str]:
        """The splits whose queries have sets of evidence."""
        return []

    @property
    def examples(self) -> dict[str, str]:
        """The splits of examples, each with what these are: `scores`, pairs that have one, or `triplets`."""
        return {}

    @property
    def lists(self) -> dict[str, list[str]]:
        """The lists of passages that come with it, each with the splits whose queries have it."""
        return {}

    def in_papers(self, name: str, split: str) -> tuple[str, str]:
        """What papers call the dataset of a name and its split."""
        return name, split

    def downloads(self) -> dict[str, Download]:
        """The files that it is made of, under the names they are kept by; none where the user brings them."""
        return {}

    @classmethod
    def fetched(cls) -> bool:
        """Whether `write` is handed its files by name."""
        return cls.downloads is not Source.downloads

    @classmethod
    def joins(cls) -> bool:
        """Whether it is made of other datasets, whose manifests `write` is handed."""
        return any(isinstance(marker, Names) for field in cls.model_fields.values() for marker in field.metadata)

    def files(self) -> list[str]:
        """The user's files that it is made of."""
        return []

    def expected(self) -> dict[str, int | dict[str, int]]:
        """How many `passages`, `queries`, `judgements`, `examples` it must have, as far as known; but the first by
        split."""
        return {}

    def roughly(self) -> dict[str, int | dict[str, int]]:
        """The same where it is known about, for `make plan`."""
        return {"passages": self.estimated, "queries": {}}

    def joined(self, known: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
        """The same of a dataset that is made of others, from what is known of it and of these: all of theirs."""
        queries = dict(known["queries"])
        for split, count in (one for part in parts for one in part["queries"].items()):
            queries[split] = queries.get(split, 0) + count
        return known | {"passages": known["passages"] + sum(part["passages"] for part in parts), "queries": queries}

    def expected_small(self) -> dict[str, int | dict[str, int]]:
        """How many its tiny files hold."""
        return {}

    def tiny(self, splits: list[str]) -> dict[str, Any]:
        """What `rehearse` is called with; `splits` are those that the study asks for."""
        return self.model_dump(exclude={"source", "relevant"})

    def moved(self, place) -> dict[str, Any]:
        """What is other when its files are the tiny ones; `place` gives a path's new one."""
        return {}

    def passage_words(self) -> float:
        """On average."""
        return self.average_words

    def cost(self, passages: float) -> Cost:
        """Of preparing so many passages."""
        return prepared(passages, self.passage_words())


# --- models -------------------------------------------------------------------------------------


TEXTS = For("texts")
UNSAID = {"query_cut": "right", "prompts": "checked", "sizes": None}  # what is in no settings while it is so


class Node(Kind):
    """A node of the model graph, and how texts become its inputs. Its module has `work`, which makes the model."""

    resources: ClassVar[Resources] = Resources(mem_mb=16_000, runtime=2880, threads="training", gpu=1, all_gpus=True)
    reads: ClassVar[tuple[str, ...]] = ("work",)  # the stages whose fields its work reads
    ranker: ClassVar[str | None] = None  # the kind of ranker that it is, too, under its own name
    writes: ClassVar[bool] = False  # texts
    pairs: ClassVar[bool] = False  # reads a query and a passage together; gives a score, no vectors
    several: ClassVar[bool] = False  # gives a text a vector for each of its tokens
    of_examples: ClassVar[bool] = False  # is made from examples of texts, not from passages

    from_: Annotated[str, Names("models", released=True)] = Field(
        alias="from", description="another model, other-study/model, hub:ORG/NAME, path:DIR, or scratch"
    )
    query_length: Annotated[Count, TEXTS] = Field(32, ge=3, description="tokens of a query, special ones included")
    passage_length: Annotated[Count, TEXTS] = Field(128, ge=5, description="tokens of a passage, special ones included")
    query_cut: Annotated[Literal["right", "left"], TEXTS] = Field(
        UNSAID["query_cut"],
        description="the end that a query which is too long loses; the left of a dialogue",
    )
    query_prefix: Annotated[str, TEXTS] = Field("", description="what every query begins with")
    passage_prefix: Annotated[str, TEXTS] = Field("", description="what every passage begins with")
    title: Annotated[Literal["pair", "prefix", "none"], TEXTS] = Field(
        "pair", description="a passage's title: before [SEP] and the text, right before the text, or left out"
    )

    @classmethod
    def source_fields(cls) -> list[str]:
        """The fields that say what it starts from."""
        return [name for name, field in cls.model_fields.items() if Names("models", released=True) in field.metadata]

    @property
    def sources(self) -> dict[str, str]:
        """What it starts from, by key."""
        found = {(type(self).model_fields[name].alias or name): getattr(self, name) for name in self.source_fields()}
        return {key: source for key, source in found.items() if source}

    def settings(self, *stages: str) -> dict[str, Any]:
        found = super().settings(*stages)
        return {key: value for key, value in found.items() if key not in UNSAID or value != UNSAID[key]}

    def work_settings(self, config) -> dict[str, Any]:
        """What its work reads; `config` is config.yaml's."""
        sources = {f"{'' if key == 'from' else 'query_'}source": place(source) for key, source in self.sources.items()}
        return self.settings(*self.reads) | sources

    def inputs(self, graph, name: str) -> Inputs:
        """The manifests that its work reads, by the names of the work's parameters."""
        return {}

    def asks(self) -> Iterator[Asked]:
        """The runs that it is made from."""
        yield from ()

    def check(self, study) -> Iterator[tuple[str, str]]:
        for key, source in self.sources.items():
            if source.startswith("hub:") and not HUB.fullmatch(source[4:]):
                yield key, f"expected hub:ORG/NAME[@REVISION], found '{source}'"
            if source.startswith("path:"):
                folder = Path(source[5:])
                if not source[5:] or not folder.is_dir():
                    yield key, f"no folder '{source[5:]}'"
                elif not any((folder / name).is_file() for name in MODEL_FILES):
                    yield key, f"folder '{folder}' has no model in it, neither {' nor '.join(MODEL_FILES)}"

    def small(self) -> dict[str, Any]:
        """Of a prefix that leaves no room for a text, were each of its bytes a token, the end is kept."""
        lengths = {"query": min(self.query_length, 16), "passage": min(self.passage_length, 48)}
        found = {f"{side}_length": length for side, length in lengths.items()}
        for side, length in lengths.items():
            prefix = getattr(self, f"{side}_prefix").encode()
            found[f"{side}_prefix"] = prefix[max(0, len(prefix) - (length // 2 - 1)) :].decode(errors="ignore")
        return found

    def operations(self, sizes: Sizes, name: str) -> float:
        """Floating-point operations of its whole work."""
        return 0

    @property
    def encoders(self) -> int:
        return 1

    @property
    def ranked(self) -> dict[str, Any]:
        """What its ranker is told beside the model."""
        return {}

    @property
    def fills_queries(self) -> bool:
        """Whether queries are filled up with [MASK], as a key of some recipes says."""
        return False


class Trained(Node):
    """A model that is trained here."""

    data: Annotated[Name, Names("datasets")] = Field(description="the dataset it is trained on")
    seed: Seed | None = Field(None, description="config.yaml's when left out")
    batch_size: Count = Field(description="of a step")
    learning_rate: float = Field(gt=0, description="the highest, after warm-up")
    warmup: Share = Field(0.1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's, of matrices alone")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    threads: Annotated[Count | None, For()] = Field(
        None, description="that it computes with on a processor; config.yaml's when left out"
    )
    gpus: Annotated[Count | None, For()] = Field(None, description="of each node; config.yaml's when left out")
    nodes: Annotated[Count | None, For()] = Field(None, description="of a cluster; config.yaml's when left out")

    def work_settings(self, config) -> dict[str, Any]:
        seed = config.seed if self.seed is None else self.seed
        threads = self.threads or config.threads
        return super().work_settings(config) | {"seed": seed, "precision": config.precision, "threads": threads}

    def inputs(self, graph, name: str) -> Inputs:
        parent = graph.parent(name)
        return super().inputs(graph, name) | {
            "dataset": [graph.dataset(self.data)],
            "tokens": [graph.tokens(name, self.data)],
            "tokenizer": [graph.tokenizer(name)],
            "parent": [graph.model(parent)] if parent else [],
        }

    def small(self) -> dict[str, Any]:
        return super().small() | {"batch_size": min(self.batch_size, 8)}


def few_dimensions(size: int) -> int:
    """So many of a vector in a rehearsal; rankers and models come to the same."""
    return size if size < 8 else 8 if size < 128 else 16


def place(source: str) -> str:
    """What from_pretrained takes: a hub id or a folder; `scratch` and the study's own models stay as they are."""
    return source if source == "scratch" else source.partition(":")[2] if outside(source) else "study"


# --- rankers ------------------------------------------------------------------------------------


class Ranker(Kind):
    """Whatever turns queries into ranked passages. Its module has `rank`, which writes a run; where need be `index`,
    what it builds for a dataset before; and where it can be asked `live`, a ranker of typed questions, and `latency`.

    `derive`, before `index`, makes something of each passage, a job a shard; rankers that derive the same share it.
    """

    resources: ClassVar[dict[str, Resources]] = {}  # by function
    approximates: ClassVar[bool] = False
    of_examples: ClassVar[bool] = False  # says how alike the texts of examples are, and ranks no passages

    depth: Annotated[Count, For("rank", "latency")] = Field(1000, description="passages kept for a query")
    published: Annotated[Row | None, For()] = PUBLISHED

    def downloads(self) -> dict[str, Download]:
        """The files that others publish and it reads; its module then has `rehearse`, which makes a tiny one."""
        return {}

    @classmethod
    def needs(cls, function: str) -> Resources:
        return cls.resources.get(function, Resources(mem_mb=8000, runtime=120))

    def derive_settings(self, graph) -> dict[str, Any]:
        """Which shard of how many is added."""
        return self.settings("derive")

    def index_settings(self, config) -> dict[str, Any]:
        return self.settings("index")

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        return self.settings("rank")

    def latency_settings(self, graph, split: str) -> dict[str, Any]:
        """What `live` reads, and its time's measuring; how many queries at once, and the parts, are added."""
        return self.settings("latency") | {"seed": graph.config.seed, "split": split}

    def derive_inputs(self, graph, dataset: str) -> Inputs:
        return {"dataset": [graph.dataset(dataset)]}

    def index_inputs(self, graph, name: str, dataset: str) -> Inputs:
        return {"dataset": [graph.dataset(dataset)]}

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        return {"dataset": [graph.dataset(dataset)]}

    def live_inputs(self, graph, name: str, dataset: str) -> Inputs:
        """What `live` needs."""
        return {"index": [graph.index(name, dataset)]}

    def asks(self, dataset: str, split: str) -> Iterator[tuple[str, str, str]]:
        """(ranker, dataset, split) of the runs that its run is made from."""
        yield from ()

    def asked_live(self) -> list[str]:
        """The rankers that `live` is handed as `parts`, each with its depth."""
        return [name for _, section, name in self.names() if section == "rankers"]

    def check_on(self, study, name: str, dataset: str, split: str, shown: bool) -> Iterator[tuple[str, str]]:
        """(key, what is wrong) with its run on a split; the key is "" for what asks. `shown`: a table is of it."""
        yield from ()

    def implied(self) -> dict[str, "Ranker"]:
        """Rankers that come with it."""
        return {}

    def exact(self, study) -> str | None:
        """The ranker that searches exactly what this one approximates."""
        return None

    def built(self, facts: dict[str, Any], dataset: str) -> str | None:
        """What the report says of what it built for a dataset."""
        return None

    def waits_for(self) -> str | None:
        """The model whose descendants are waited for when it is at work."""
        return next((name for _, section, name in self.names() if section == "models"), None)

    def derive_cost(self, sizes: Sizes, dataset: str) -> Cost:
        """Of all shards."""
        return Cost()

    def index_cost(self, sizes: Sizes, dataset: str) -> Cost:
        return Cost()

    def rank_cost(self, sizes: Sizes, dataset: str, split: str) -> Cost:
        queries, passages = sizes.queries(dataset, split), sizes.passages(dataset)
        return written(queries * min(self.depth, passages))


# --- losses, batches, analyses ------------------------------------------------------------------


class Loss(Kind):
    """Its module has `work(scores, known, settings)`: the mean over a batch's rows.

    `scores` are [queries, passages]; `known` is what is known of the batch: `targets`, the passage that is each query's
    positive, `masked`, the passages that are no negatives of a query, `own`, the passages that a query brought, its
    positive among them, with a teacher `teacher`, its scores, nan where there is none, with two also `pairwise`, the
    scores of the one that is no in-batch teacher, and whatever else the batches bring.
    """

    needs_teacher: ClassVar[bool] = False  # it reads `teacher` and `own`, which only a retriever's batches have
    pairwise: ClassVar[bool] = False  # it reads `pairwise`, too, where there are two teachers

    @property
    def taught(self) -> bool:
        """Whether it, or a loss that is written in it, needs a teacher."""
        return any(getattr(part, "needs_teacher", False) for part in self.parts())


class Batches(Kind):
    """Its module has `work(queries, size, seed, settings)`, how instances come together in batches.

    `queries` is the query of each instance; what it returns has `steps`, of an epoch, and `rows(step)`, which gives
    (epoch, the instances of the batch) as a function of the seed and the step. With `pick(step, margins, wanted)` it
    also says which positive and which negatives each has, given its teacher's [positives, negatives] margins; without
    it they go round by epoch. `work` is handed its `inputs`, too.
    """

    needs_teacher: ClassVar[bool] = False

    def inputs(self, graph, data: str, split: str) -> Inputs:
        """What its work reads, for a model that is trained on a split."""
        return {}

    def clusters_settings(self, config) -> dict[str, Any] | None:
        """How clusters of the queries are made, where it reads them."""
        return None


class Analysis(Kind):
    """Its module has `work`, which writes Parquet and figures (*.svg); the report shows both."""

    resources: ClassVar[Resources] = Resources(mem_mb=4000, runtime=60)

    title: Annotated[str, For()] = Field("", description="above it on the page; its name when left out")

    def clusters_settings(self, config) -> dict[str, Any] | None:
        """How clusters of the queries of its `data` and `split` are made, where it looks at such."""
        return None

    def asks(self) -> Iterator[Asked]:
        """The runs that it looks at."""
        yield from ()

    def work_settings(self, config) -> dict[str, Any]:
        return self.settings("work") | {"seed": config.seed}

    def inputs(self, graph) -> Inputs:
        return {"runs": [graph.run(*of) for _, *of in self.asks()]}

    def cost(self, sizes: Sizes) -> Cost:
        return written(sum(sizes.queries(dataset, split) for _, _, dataset, split in self.asks()))
