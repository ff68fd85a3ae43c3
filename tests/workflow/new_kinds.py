"""A new kind of every sort, as somebody would add it: a file each."""

FILES = {
    "sources/numbers.py": '''
"""`numbers`: numbers in words, to be found by their digits."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from dewpoint.data import tiny
from dewpoint.study.bases import Source

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

ONES = "zero one two three four five six seven eight nine".split()


class Numbers(Source):
    """Numbers in words."""

    source: Literal["numbers"]
    path: str = Field(description="a file with a number a line")

    @property
    def judged(self) -> list[str]:
        return ["train", "test"]

    def files(self) -> list[str]:
        return [self.path]

    def moved(self, place) -> dict[str, Any]:
        return {"path": place(self.path)}


def write(writer: "DatasetWriter", path: str) -> None:
    numbers = Path(path).read_text().split()
    for number in numbers:
        writer.passage(path, number, " ".join(ONES[int(digit)] for digit in number))
    writer.end_of_corpus(path)
    for row, number in enumerate(numbers):
        split = ("train", "test")[row % 2]
        writer.query(path, split, number, " ".join(ONES[int(digit)] for digit in number))
        writer.judgement(path, split, number, number)


def rehearse(folder: Path, words: tiny.Words, path: str) -> None:
    tiny.write_text(folder / Path(path).name, "\\n".join(map(str, range(100, 160))))
''',
    "recipes/shaken.py": '''
"""`shaken`: a model whose weights are shaken a little."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.recipes._retrieval import Pooled
from dewpoint.study.bases import QUERIES, Inputs


class Shaken(Pooled):
    """A model whose weights are shaken a little."""

    recipe: Literal["shaken"]
    strength: float = Field(0.1, ge=0, le=1, description="of the shaking")

    def check(self, study):
        yield from super().check(study)
        if self.strength == 1:
            yield "strength", "1 leaves nothing of the model; take less"

    def small(self):
        return super().small() | {"strength": min(self.strength, 0.01)}

    def inputs(self, graph, name: str) -> Inputs:
        parent = graph.parent(name)
        tokenizers = {"tokenizer": [graph.tokenizer(name)], "query_tokenizer": [graph.tokenizer(name, QUERIES)]}
        return tokenizers | {"parent": [graph.model(parent)] if parent else []}

    def operations(self, sizes, name: str) -> float:
        return 1e15 * sizes.weights(name)


def work(artifact: Artifact, settings, tokenizer: Path, query_tokenizer: Path, parent: Path | None) -> None:
    import torch

    from dewpoint.data.tokenizer import load_tokenizer
    from dewpoint.models.folder import read_retriever, write_retriever

    model = read_retriever(parent.parent if parent else settings.source)
    with torch.no_grad():
        for weights in model.parameters():
            weights += settings.strength * weights.std(unbiased=False)
    words = tuple(load_tokenizer(made.parent) for made in (tokenizer, query_tokenizer))
    artifact.facts |= model.facts | {"retrieves": True}
    write_retriever(artifact.path("."), model, words, settings, "shaken")
''',
    "rankers/reversed.py": '''
"""`reversed`: another ranker's run, from behind."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.study.bases import Ranker
from dewpoint.study.kind import Names
from dewpoint.study.types import Label


class Reversed(Ranker):
    """Another ranker's run, from behind."""

    kind: Literal["reversed"]
    of: Annotated[Label, Names("rankers")] = Field(description="the ranker")

    def asks(self, dataset, split):
        yield self.of, dataset, split

    def check(self, study):
        if self.depth > study.rankers[self.of].depth:
            yield "depth", f"{self.depth}, but ranker '{self.of}' keeps {study.rankers[self.of].depth}"

    def rank_inputs(self, graph, name, dataset, split):
        return {"run": [graph.run(self.of, dataset, split)]}


def rank(artifact: Artifact, settings, run: Path) -> None:
    from dewpoint.data.runs import Run, ranked, read_run, write_run

    found = read_run(run)
    write_run(artifact, ranked(found.query, found.passage, -found.score, settings.depth))
''',
    "losses/hinge.py": '''
"""`hinge`: by how much each negative comes closer than a margin, L = mean max(0, margin - s+ + s-)."""

from typing import Literal

from pydantic import Field

from dewpoint.study.bases import Loss


class Hinge(Loss):
    """By how much each negative comes closer than a margin."""

    name: Literal["hinge"]
    margin: float = Field(1.0, gt=0, description="between a positive's score and a negative's")

    def check(self, study):
        if self.margin > 100:
            yield "margin", f"{self.margin:g} is never reached; take at most 100"


def work(scores, known, settings):
    positive = scores.gather(1, known["targets"][:, None])
    return (settings.margin - positive + scores).clamp(min=0).masked_fill(known["masked"], 0).mean()
''',
    "batches/sorted.py": '''
"""`sorted`: queries one after the other, as they lie in the dataset."""

from typing import Literal

from dewpoint.study.bases import Batches


class Sorted(Batches):
    """Queries as they lie in the dataset."""

    name: Literal["sorted"]


def work(queries, size, seed, settings):
    return Rows(queries.argsort(kind="stable"), size)


class Rows:
    def __init__(self, order, size):
        self.order, self.size, self.steps = order, size, -(-len(order) // size)

    def rows(self, step):
        epoch, index = divmod(step, self.steps)
        return epoch, self.order[index * self.size : (index + 1) * self.size]
''',
    "analyses/counts.py": '''
"""`counts`: how many passages rankers found."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.study.bases import Analysis
from dewpoint.study.kind import For, Names
from dewpoint.study.types import Label, Place


class Counts(Analysis):
    """How many passages rankers found."""

    kind: Literal["counts"]
    rankers: Annotated[list[Label], Names("rankers")] = Field(min_length=1, description="whose runs are counted")
    on: Annotated[Place, For()] = Field(description="dataset/split")

    def asks(self):
        yield from (("on", ranker, *self.on.split("/")) for ranker in self.rankers)

    def check(self, study):
        if self.on.split("/")[0] not in study.datasets:
            yield "on", f"no dataset '{self.on.split('/')[0]}'"


def work(artifact: Artifact, settings, runs: list[Path]) -> None:
    import pandas as pd

    from dewpoint.data.runs import read_run

    rows = [{"run": path.parent.name, "passages found": len(read_run(path).passage)} for path in runs]
    pd.DataFrame(rows).to_parquet(artifact.path("counts.parquet"))
    artifact.path("counts.svg").write_text("<svg id='a-figure-of-counts'></svg>")
''',
}

STUDY = """
datasets:
  numbers: {source: numbers, path: my/numbers.txt}
models:
  bert:
    {recipe: mlm, from: scratch, data: numbers, architecture: {layers: 2, hidden: 32, heads: 2, vocabulary: 200}}
  trained:
    {recipe: retriever, from: bert, data: numbers, negatives: [back], loss: {name: hinge, margin: 2}, batches: sorted}
  wobbly: {recipe: shaken, from: trained, strength: 0.2}
rankers:
  bm25: {kind: bm25}
  back: {kind: reversed, of: bm25}
tables:
  all: {rankers: [bm25, back, trained, wobbly], on: numbers/test, metrics: [MRR@10]}
analyses:
  how-many: {kind: counts, title: How many, rankers: [back, wobbly], on: numbers/test}
"""

MISTAKES = [  # what is written otherwise, and the line that says so
    ("path: my/numbers.txt", "pth: my/numbers.txt", "datasets.numbers.pth: unknown key; did you mean 'path'?"),
    ("strength: 0.2", "strength: 2", "models.wobbly.strength: Input should be less than or equal to 1, found 2"),
    ("strength: 0.2", "strength: 1", "models.wobbly.strength: 1 leaves nothing of the model; take less"),
    ("recipe: shaken", "recipe: shake", "models.wobbly: unknown recipe 'shake'; did you mean 'shaken'?"),
    ("of: bm25", "of: bm52", "rankers.back.of: no ranker 'bm52'; did you mean 'bm25'?"),
    ("of: bm25", "of: trained", "needs itself: "),
    ("margin: 2}", "margin: -2}", "models.trained.loss.margin: Input should be greater than 0, found -2"),
    ("margin: 2}", "margin: 200}", "models.trained.loss.margin: 200 is never reached; take at most 100"),
    ("name: hinge", "name: hing", "models.trained.loss: unknown name 'hing'; did you mean 'hinge'?"),
    ("batches: sorted", "batches: sorte", "models.trained.batches: unknown name 'sorte'; did you mean 'sorted'?"),
    ("[back, wobbly], on", "[wobblier], on", "analyses.how-many.rankers: no ranker 'wobblier'; did you mean 'wobbly'?"),
    ("on: numbers/test}", "on: number/test}", "analyses.how-many.on: no dataset 'number'"),
]
