"""The grammar of a study and of config.yaml: what can be written, what it means, what it is when left out."""

import difflib
import re
from math import comb
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from dewpoint.data.sources.reading import qrels
from dewpoint.evaluation.registry import (
    HIT,  # noqa: F401
    JUDGEMENTS,
    LATENCY,
    OF_RUNS,
    PAGES,
    RPREC,  # noqa: F401
    TIME,
    is_latency,
    names,
    pattern,
)

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]  # names a `vary` may make
BATCHES = {1: 300, 10: 100, 2000: 5}  # queries at once: how often latency is measured
QUALITY = tuple(names(*OF_RUNS, cutoff=True))
METRICS = (*QUALITY, LATENCY)
Quality = Annotated[str, StringConstraints(pattern=pattern(JUDGEMENTS, PAGES))]  # what weights are tuned by
Metric = Annotated[str, StringConstraints(pattern=pattern(*OF_RUNS, TIME))]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Grade = Annotated[
    float, Field(gt=0, allow_inf_nan=False), AfterValidator(lambda grade: int(grade) if grade == int(grade) else grade)
]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


# --- config.yaml --------------------------------------------------------------------------------


class Config(Strict):
    """What belongs to a run of the program."""

    study: str = Field("studies/quickstart.yaml", description="the study to run")
    output: str = Field("results", description="folder that results are written to, one folder a study in it")
    data: str = Field("data", description="folder of prepared datasets, shared by all studies")
    seed: int = Field(1, ge=0, description="seed of everything random, unless a model names its own")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 on a GPU, and on a processor that multiplies in it, from 128 hidden units"
    )
    vectors: Literal["float16", "float32"] = Field("float16", description="how embeddings are stored")
    shards: Count = Field(1, description="parts that a corpus is encoded in, a job each")
    chunk: int = Field(
        0,
        ge=0,
        description="tokens held in memory at once while training; never changes a result; 0: as device and model suit",
    )
    checkpoint_steps: Count = Field(1000, description="steps between checkpoints; there is one every 5 minutes anyway")
    rehearse: bool = Field(
        False, description="tiny files in the formats of the real ones, tiny models, few steps; results lie apart"
    )
    mirrors: dict[str, str] = Field(
        {},
        description="where files are fetched from instead: the beginning of an address: another beginning",
    )
    offline: str | None = Field(
        None,
        description="a folder with the files that would be fetched, under their names; nothing is fetched then",
    )


# --- datasets -----------------------------------------------------------------------------------


class Source(Strict):
    """A dataset's definition, and what it says of the dataset before that is prepared."""

    @property
    def judged(self) -> list[str] | None:
        """The splits with queries and judgements; None when only files not yet there can tell."""
        return []

    @property
    def answered(self) -> list[str]:
        """The splits whose queries may have answers, judged or not."""
        return []

    @property
    def lists(self) -> dict[str, list[str]]:
        """The lists of passages that come with it, each with the splits whose queries have it."""
        return {}

    def in_papers(self, name: str, split: str) -> tuple[str, str]:
        """What papers call the dataset of a name and its split."""
        return name, split


class Pydocs(Source):
    """Docstrings of the standard library and of installed packages."""

    source: Literal["pydocs"]
    packages: list[str] = Field(["stdlib", "numpy", "pandas"], min_length=1, description="'stdlib' or package names")

    @property
    def judged(self) -> list[str]:
        return ["train", "dev", "test"]


class Beir(Source):
    """A folder with corpus.jsonl, queries.jsonl and qrels/<split>.tsv, each plain, .gz or .zst."""

    source: Literal["beir"]
    path: str = Field(description="the folder")

    @property
    def judged(self) -> list[str] | None:
        return sorted(qrels(Path(self.path))) or None


class PassageFile(Strict):
    file: str
    columns: dict[Literal["id", "text", "title", "document"], str] = Field({}, description="our name: the file's name")


class QueryFile(Strict):
    file: str
    columns: dict[Literal["id", "text", "answers"], str] = Field({}, description="our name: the file's name")


class JudgementFile(Strict):
    file: str
    columns: dict[Literal["query", "passage", "grade"], str] = Field({}, description="our name: the file's name")
    relevant: Grade = Field(1, description="grade from which a passage counts as relevant; nDCG's gains are the grades")


class Tables(Source):
    """One's own files: .csv, .tsv, .jsonl (each plain, .gz or .zst) or .parquet."""

    source: Literal["table"]
    corpus: PassageFile
    queries: dict[Name, QueryFile] = Field(min_length=1, description="a file for each split")
    judgements: dict[Name, JudgementFile] = Field(min_length=1, description="a file for each split")

    @property
    def judged(self) -> list[str]:
        return [split for split in self.queries if split in self.judgements]

    @property
    def answered(self) -> list[str]:
        return list(self.queries)


class Text(Source):
    """Text to pre-train on: .txt (a blank line ends a document) or .jsonl (a line is one), each plain, .gz or .zst."""

    source: Literal["text"]
    files: list[str] = Field(min_length=1, description="paths, or patterns such as wiki/*.jsonl.zst")
    text: str = Field("text", description="JSON lines: the field with the text, a string or a list of paragraphs")
    title: str | None = Field(None, description="JSON lines: the field with the title, if there is one")


class Msmarco(Source):
    """What passages and documents share."""

    @property
    def judged(self) -> list[str]:
        return ["train", "dev", "dl2019", "dl2020"]

    def in_papers(self, name: str, split: str) -> tuple[str, str]:
        return self.source, split


class MsmarcoPassage(Msmarco):
    """MS MARCO's passages; splits train and dev (the small one), and TREC's dl2019 and dl2020."""

    source: Literal["msmarco-passage"]
    titles: bool = Field(False, description="with the titles of RocketQA's release of the corpus")
    triples: int = Field(
        0,
        ge=0,
        description="negatives of the official training triples that are kept for a query, drawn at random, as list "
        "`triples`; 0: none, and the 1.8 GB file is not fetched",
    )

    @property
    def lists(self) -> dict[str, list[str]]:
        return {"triples": ["train"]} if self.triples else {}


class MsmarcoDocument(Msmarco):
    """MS MARCO's documents, cut to passages; splits train, dev, dl2019, dl2020. Judgements are of whole documents."""

    source: Literal["msmarco-document"]
    passages: Literal["first", "all"] = Field(
        "first", description="all: a run's documents rank by their best passage (MaxP)"
    )
    words: Count = Field(400, description="words of a passage")
    stride: Count | None = Field(None, description="words from a passage's beginning to the next one's; as `words`")


class Dpr(Source):
    """DPR's Wikipedia in passages of 100 words, with questions: splits nq-train, nq-dev, nq-test, triviaqa-train, …

    Its curated negatives are the lists `negatives` (negative_ctxs) and `hard` (hard_negative_ctxs).
    """

    source: Literal["dpr"]
    questions: list[Literal["nq", "triviaqa"]] = Field(["nq", "triviaqa"], min_length=1)
    adversarial: bool = Field(
        False, description="list `adversarial` of nq-train: the negatives that DPR's authors mined with a first round"
    )

    @property
    def judged(self) -> list[str]:
        return [f"{questions}-{split}" for questions in self.questions for split in ("train", "dev")]

    @property
    def answered(self) -> list[str]:
        return [*self.judged, *(f"{questions}-test" for questions in self.questions)]

    @property
    def lists(self) -> dict[str, list[str]]:
        lists = {"negatives": self.judged, "hard": self.judged}
        return lists | ({"adversarial": ["nq-train"]} if self.adversarial else {})

    def in_papers(self, name: str, split: str) -> tuple[str, str]:
        questions, _, split = split.partition("-")
        return questions, split


class Tevatron(Source):
    """Tevatron's JSON lines, each file plain, .gz or .zst; their negatives are the list `negatives`."""

    source: Literal["tevatron"]
    corpus: list[str] = Field(min_length=1, description="paths or patterns: docid, title, text")
    queries: dict[Name, str] = Field(
        min_length=1,
        description="a file for each split: query_id, query, positive_passages, …",
    )

    @property
    def judged(self) -> list[str]:
        return list(self.queries)

    @property
    def answered(self) -> list[str]:
        return self.judged

    @property
    def lists(self) -> dict[str, list[str]]:
        return {"negatives": self.judged}


class Wikipedia(Source):
    """English Wikipedia of 1 November 2023 as text to pre-train on: a passage is a paragraph, a document an article."""

    source: Literal["wikipedia"]


Dataset = Annotated[
    Pydocs | Beir | Tables | Text | MsmarcoPassage | MsmarcoDocument | Dpr | Tevatron | Wikipedia,
    Field(discriminator="source"),
]


# --- what papers published ----------------------------------------------------------------------


class Row(Strict):
    """A row of a paper: a system and its setting."""

    system: str = Field(description="its name in studies/published/")
    train: int | str | None = Field(None, description="training queries: a number or full")
    neg: str | None = Field(None, description="bm25, or hn: mined hard negatives as well")
    label: str | None = None
    stage: str | None = None
    rerank: str | None = None

    @property
    def setting(self) -> dict[str, int | str]:
        return self.model_dump(exclude={"system"}, exclude_none=True)

    def __str__(self) -> str:
        """As a study writes it."""
        return f"{{{', '.join(f'{key}: {value}' for key, value in self.model_dump(exclude_none=True).items())}}}"


PUBLISHED = Field(None, description="the row of papers that it reproduces: {system: BERT, train: full, neg: bm25}")


# --- models -------------------------------------------------------------------------------------


class Architecture(Strict):
    """The shape of a new BERT or RoBERTa and of its tokenizer."""

    family: Literal["bert", "roberta"] = Field(
        "bert", description="bert: WordPiece, lower-cased; roberta: byte-level BPE, case kept"
    )
    layers: Count = 12
    hidden: Count = 768
    heads: Count | None = Field(None, description="one for each 64 of hidden when left out")
    intermediate: Count | None = Field(None, description="four times hidden when left out")
    positions: Count = 512
    dropout: Share = 0.1
    vocabulary: Count = Field(30_522, description="size of the vocabulary learned from the model's data")

    @model_validator(mode="after")
    def heads_share_hidden(self):
        heads = self.heads or max(1, self.hidden // 64)
        if self.hidden % heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {heads}")
        return self


class Node(Strict):
    """A node of the model graph, and how texts become its inputs."""

    from_: str = Field(alias="from", description="another model, hub:ORG/NAME, path:DIR, or scratch")
    query_length: Count = Field(32, ge=3, description="tokens of a query, special ones included")
    passage_length: Count = Field(128, ge=5, description="tokens of a passage, special ones included")
    query_prefix: str = Field("", description="what every query begins with")
    passage_prefix: str = Field("", description="what every passage begins with")
    title: Literal["pair", "prefix", "none"] = Field(
        "pair", description="a passage's title: before [SEP] and the text, right before the text, or left out"
    )

    @property
    def sources(self) -> dict[str, str]:
        """What it starts from, by key."""
        return {"from": self.from_}


class Model(Node):
    """A model that is trained here."""

    data: Name = Field(description="the dataset it is trained on")
    seed: int | None = Field(None, ge=0, description="config.yaml's when left out")
    batch_size: Count
    learning_rate: float = Field(gt=0)
    warmup: Share = Field(0.1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(0.01, ge=0)
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")


class Pretraining(Model):
    steps: Count = 10_000
    length: Count = Field(128, ge=8, description="tokens of a training text, special ones included")
    batch_size: Count = 256
    learning_rate: float = Field(1e-4, gt=0)
    architecture: Architecture | None = Field(None, description="with from: scratch")
    held_out: Share = Field(0.01, description="share of the documents that is not trained on but measured on")
    measurements: int = Field(10, ge=0, description="how often it is measured, evenly spread over the steps")


class Mlm(Pretraining):
    """BERT's masked language modelling with whole words."""

    recipe: Literal["mlm"]


class Condenser(Pretraining):
    """Masked words predicted through the late CLS."""

    recipe: Literal["condenser"]
    early_layers: Count = Field(6, description="layers before the split; the rest are late")
    head_layers: Count = 2
    late_mlm: bool = Field(True, description="words are predicted from the backbone's last layer, too")


class CoCondenser(Condenser):
    """Condenser with a contrast between spans of documents; a batch is so many documents, two spans each."""

    recipe: Literal["cocondenser"]
    spans_of: Literal["document", "passage"] = Field("document", description="what two sibling spans are cut from")
    temperature: float = Field(1.0, gt=0)
    mlm: bool = Field(True, description="false: the contrast alone")


class Projection(Strict):
    """A linear map of the pooled vector."""

    size: Count
    norm: bool = Field(False, description="with a LayerNorm after it")


class Vectors(Node):
    """How a retriever's texts become vectors."""

    query_from: str | None = Field(
        None, description="where queries' own encoder starts from, as in `from`; left out: one encoder for both"
    )
    published: Row | None = PUBLISHED
    pooling: Literal["cls", "mean"] | None = Field(None, description="left out: as `from` does, the CLS otherwise")
    normalize: bool | None = Field(None, description="vectors of length one; left out: as `from` does, no otherwise")

    @property
    def sources(self) -> dict[str, str]:
        return {"from": self.from_} | ({"query_from": self.query_from} if self.query_from else {})


class Released(Vectors):
    """A retriever that others have trained, as it is."""

    recipe: Literal["released"]


class Development(Strict):
    """What a retriever is measured on while it is trained: MRR@10 on a small corpus."""

    split: Name = Field("dev", description="its queries; those of the training split are then not trained on")
    queries: Count = Field(1000, description="at most so many, drawn at random")
    depth: int = Field(50, ge=0, description="ranks of each negatives' ranker that are in the small corpus")
    passages: int = Field(10_000, ge=0, description="passages at random beside them")
    measurements: Count = Field(10, description="how often it is measured, evenly spread over the steps")
    keep: Literal["best", "last"] = Field("best", description="which weights become the model")
    patience: Count | None = Field(None, description="measurements without a rise, after which training ends")


class Retriever(Vectors, Model):
    """A query's positive against its negatives and the other passages of the batch."""

    recipe: Literal["retriever"]
    projection: Projection | None = Field(None, description="left out: as `from` has it, none otherwise")
    negatives: list[Label] = Field([], description="rankers whose runs give the negatives")
    negatives_depth: Count = Field(200, description="ranks that negatives are taken from")
    negatives_kept: Count = Field(30, description="negatives kept for a query and ranker")
    negatives_without: list[Literal["judged", "answers"]] = Field(
        ["judged"], description="what is no negative: passages judged relevant, passages that contain an answer"
    )
    negatives_seed: int | None = Field(None, ge=0, description="seed of the choice; the model's when left out")
    negatives_per_query: int | None = Field(
        None, ge=0, description="negatives beside each query's positive in a batch; 7, or none without rankers"
    )
    in_batch: bool = Field(True, description="the other queries' passages are negatives, too")
    positives: Literal["rotating", "first"] = Field(
        "rotating", description="which of a query's positives: the next at each visit, or the first judged"
    )
    train_queries: Count | Literal["all"] = Field("all", description="drawn at random; fewer are a part of more")
    train_query_length: int | None = Field(
        None, ge=3, description="tokens of a query in training, when fewer than `query_length` will do"
    )
    split: Name = "train"
    epochs: Count = 3
    batch_size: Count = Field(8, description="queries")
    learning_rate: float = Field(5e-6, gt=0)
    temperature: float = Field(1.0, gt=0)
    development: Development | None = Field(None, description="left out: nothing is measured on the way")

    @model_validator(mode="after")
    def something_to_contrast(self):
        if not self.in_batch and not self.beside:
            raise ValueError("in_batch: false leaves a query nothing to tell its positive from; name negatives")
        return self

    @property
    def beside(self) -> int:
        """Negatives of each query in a batch."""
        return (7 if self.negatives else 0) if self.negatives_per_query is None else self.negatives_per_query


AnyModel = Annotated[Mlm | Condenser | CoCondenser | Retriever | Released, Field(discriminator="recipe")]


# --- rankers ------------------------------------------------------------------------------------


class Ranker(Strict):
    depth: Count = Field(1000, description="passages kept for a query")
    published: Row | None = PUBLISHED


Stemmer = Literal[  # what Snowball knows
    "none",
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "czech",
    "danish",
    "dutch",
    "dutch_porter",
    "english",
    "esperanto",
    "estonian",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "persian",
    "polish",
    "porter",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "sesotho",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
]


class Bm25(Ranker):
    """BM25 as Pyserini has it: Lucene's formula and English analyser."""

    kind: Literal["bm25"]
    k1: float = Field(0.9, ge=0, le=100, description="how much more a word counts that comes again")
    b: Share = Field(0.4, description="how much less it counts in a longer passage")
    title: bool = Field(True, description="title and text; false: the text alone")
    words: Literal["standard", "plain"] = Field(
        "standard", description="standard: Unicode's, so that os.path and a_b are one word; plain: letters and digits"
    )
    stop_words: Literal["english", "none"] = Field("english", description="Lucene's 33 English words, or none")
    stemmer: Stemmer = Field("porter", description="Snowball's; porter is the original one, english its successor")


class Flat(Strict):
    """Exact search."""

    name: Literal["flat"]


class Hnsw(Strict):
    """A graph of neighbours."""

    name: Literal["hnsw"]
    M: Count = Field(32, description="neighbours of a passage")
    efConstruction: Count = Field(200, description="candidates looked at for a new passage's neighbours")
    efSearch: Count = Field(128, description="candidates looked at for a query")


class Trained(Strict):
    sample: Count | None = Field(
        None, description="passages drawn at random to train on; left out: 65,536, or 64 a list if that is more"
    )


class Ivf(Trained):
    """Lists of passages around centroids, the nearest of which are searched."""

    name: Literal["ivf"]
    nlist: Count | None = Field(None, description="lists; left out: a power of two, two to four times √passages")
    nprobe: Count = Field(32, description="lists searched for a query")


class Pq(Trained):
    """Vectors in a few bytes each, by product quantisation."""

    name: Literal["pq"]
    bytes: Count | None = Field(None, description="of a vector, a divisor of its dimension; left out: about an eighth")


class IvfPq(Pq, Ivf):
    """Lists of vectors in a few bytes each."""

    name: Literal["ivf-pq"]


class Sq8(Trained):
    """A byte for each dimension."""

    name: Literal["sq8"]


class Factory(Trained):
    """Any index that FAISS can name."""

    name: Literal["factory"]
    factory: str = Field(description="FAISS's factory string, such as OPQ16_64,IVF1024,PQ16")
    search: dict[str, float] = Field({}, description="FAISS's search parameters, such as {nprobe: 32}")


INDEXES = {"flat": Flat, "hnsw": Hnsw, "ivf": Ivf, "ivf-pq": IvfPq, "pq": Pq, "sq8": Sq8, "factory": Factory}
COMPONENTS = re.compile(r"^[A-Z]\w*(\(.*\))?(,[A-Z]\w*(\(.*\))?)*$")  # FAISS's all begin with a capital letter


def _named(index: Any) -> Any:
    """An index as a mapping, also where the study has just a name or a factory string."""
    if not isinstance(index, str):
        return index
    if index in INDEXES:
        return {"name": index}
    if not COMPONENTS.match(index):
        close = difflib.get_close_matches(index, INDEXES, 1, 0.5)
        nearest = f"; did you mean '{close[0]}'?" if close else ""
        known = ", ".join(name for name in INDEXES if name != "factory")
        raise ValueError(f"unknown index '{index}', write {known} or a factory string of FAISS{nearest}")
    return {"name": "factory", "factory": index}


AnyIndex = Flat | Hnsw | Ivf | IvfPq | Pq | Sq8 | Factory
Index = Annotated[AnyIndex, Field(discriminator="name"), BeforeValidator(_named, str | AnyIndex)]


class Dense(Ranker):
    """Search by inner product over a model's vectors. Every retriever is one of its own name."""

    kind: Literal["dense"]
    model: Label
    index: Index = Field(Flat(name="flat"), description="flat is exact; others are faster and may miss passages")


class Tune(Strict):
    """Weights that give the best metric on a split's judgements: all on a grid are tried, of equals the most even."""

    split: Name = Field("dev", description="of the dataset that is ranked; no table may then be on it")
    metric: Quality = "MRR@10"
    steps: Count = Field(10, description="weights are multiples of 1 / steps and sum to 1")


MOST_TRIED = 10_000  # weights of one fusion


class Fusion(Ranker):
    """Several rankers made one."""

    kind: Literal["fusion"]
    of: list[Label] = Field(min_length=2)
    method: Literal["reciprocal_rank", "weighted"] = Field(
        "reciprocal_rank", description="sum of w / (k + rank), or of w times the scaled score"
    )
    weights: list[float] | None = Field(None, description="one a ranker; all 1 when left out")
    tune: Tune | None = Field(None, description="weights chosen on a split, in place of `weights`")
    scale: Literal["min-max", "z"] = Field(
        "min-max",
        description="of weighted: a query's scores, less its lowest, over max - min or over σ; 0 where not found",
    )
    k: Count = Field(60, description="of reciprocal_rank")

    @model_validator(mode="after")
    def one_weight_a_ranker(self):
        if self.weights and len(self.weights) != len(self.of):
            raise ValueError(f"{len(self.weights)} weights for {len(self.of)} rankers")
        return self

    @model_validator(mode="after")
    def weights_or_tune(self):
        if self.tune and self.weights:
            raise ValueError("weights are given or tuned, not both; leave one out")
        tried = comb(self.tune.steps + len(self.of) - 1, len(self.of) - 1) if self.tune else 0
        if tried > MOST_TRIED:
            raise ValueError(f"tune has {tried:,} weights to try, at most {MOST_TRIED:,}; take fewer steps or rankers")
        return self


class RunFiles(Ranker):
    """A ranker that others ran: its runs as text, TREC's (query Q0 passage rank score tag) or MS MARCO's."""

    kind: Literal["file"]
    on: Name = Field(description="the dataset that its ids are of")
    runs: dict[Name, str] = Field(min_length=1, description="a file for each split, plain, .gz or .zst")


class Given(Ranker):
    """Passages that came with a dataset's queries, in their order, such as the negatives of a training set."""

    kind: Literal["given"]
    list: Name = Field(description="which of the dataset's lists: triples, hard, …")


AnyRanker = Annotated[Bm25 | Dense | Fusion | RunFiles | Given, Field(discriminator="kind")]


# --- tables and the study -----------------------------------------------------------------------


Place = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+$")]


Places = Annotated[
    Annotated[Place, Tag("one")] | Annotated[dict[Place, Annotated[list[Metric], Field(min_length=1)]], Tag("several")],
    Discriminator(lambda on: "several" if isinstance(on, dict) else "one"),
]


class Table(Strict):
    """Rankers × metrics, on one split or on several."""

    title: str = ""
    rankers: list[Label] = Field(min_length=1)
    on: Places = Field(
        description="dataset/split; or several, each with its metrics: {marco/dev: [MRR@10], marco/dl2019: [nDCG@10]}"
    )
    metrics: list[Metric] = Field([], description="with a single split")
    paper: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+/[a-z0-9]+$")] | None = Field(
        None, description="the table it reproduces, such as condenser/table5; published stands beside measured"
    )
    tolerance: float = Field(0.01, gt=0, description="how far a measured value may be from the published one")
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
        if self.baseline and (len(self.rankers) < 2 or all(map(is_latency, measured))):
            raise ValueError("baseline needs another ranker, and a metric beside latency, to be compared on")
        if self.absent and not self.paper:
            raise ValueError("`absent` goes with `paper`")
        return self

    @property
    def columns(self) -> dict[tuple[str, str], list[str]]:
        """(dataset, split) → its metrics."""
        on = {self.on: self.metrics} if isinstance(self.on, str) else self.on
        return {tuple(place.split("/")): metrics for place, metrics in on.items()}


class Study(Strict):
    """Datasets, models, rankers and tables that belong together, everything expanded."""

    title: str = ""
    description: str = ""
    datasets: dict[Name, Dataset] = Field(min_length=1)
    models: dict[Label, AnyModel] = {}
    rankers: dict[Label, AnyRanker] = {}
    tables: dict[Label, Table] = Field({}, description="without any, all models are made")


def schema() -> dict[str, Any]:
    """The JSON schema of a study as it is written: with `include:`, and `vary:` in any entry of four sections."""
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
    parts = {"Architecture", "PassageFile", "QueryFile", "JudgementFile", "Projection", "Development", "Tune", "Row"}
    kinds = set(written["$defs"]) - parts
    for kind in kinds:
        written["$defs"][kind]["properties"]["vary"] = vary
    for section in ("datasets", "models", "rankers", "tables"):
        written["properties"][section].pop("minProperties", None)
        written["properties"][section].pop("propertyNames", None)
    return written
