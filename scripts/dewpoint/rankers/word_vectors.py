"""`word-vectors`: how alike the texts of examples are, by the mean of their words' vectors, such as GloVe's."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.data.catalogue import Download
from dewpoint.rankers._alike import HOW, Alike, How
from dewpoint.study.bases import Inputs, Resources
from dewpoint.study.kind import For
from dewpoint.study.sizes import EACH, Cost, of_core, written

if TYPE_CHECKING:
    from dewpoint.data.tiny import Words

ARCHIVE = "glove.6B.zip"
GLOVE = Download(
    f"https://nlp.stanford.edu/data/{ARCHIVE}",
    862_182_613,
    "sha256:617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
    licence="PDDL 1.0, the public domain",
)
SIZES = (50, 100, 200, 300)
LINES, TEXTS = 50_000, 50_000  # of the file, and of examples, that a core reads in a second


class WordVectors(Alike):
    """How alike the texts of examples are, by the mean of their words' vectors: GloVe's, or a file of one's own."""

    resources: ClassVar[dict[str, Resources]] = {"rank": Resources(mem_mb=8000, runtime=60)}

    kind: Literal["word-vectors"]
    path: Annotated[str | None, For()] = Field(
        None, description="a word and its numbers a line, .txt, .gz, .zst or .zip; left out: glove.6B.zip is fetched"
    )
    member: Annotated[str, For("rank")] = Field("glove.6B.300d.txt", description="the file of a .zip that is read")
    similarity: How = Field("cosine", description=HOW)
    lower_case: Annotated[bool, For("rank")] = Field(
        True, description="texts are lower-cased first; else words are looked for as written before they are so"
    )
    stop_words: Annotated[Literal["english", "none"], For("rank")] = Field(
        "english", description="what is left out: sentence-transformers' list of the baseline, with punctuation"
    )

    def downloads(self) -> dict[str, Download]:
        return {} if self.path else {ARCHIVE: GLOVE}

    def small(self) -> dict[str, Any]:
        return {"path": None, "member": "glove.6B.50d.txt"}

    def rank_settings(self, graph, split: str) -> dict[str, Any]:
        found = super().rank_settings(graph, split) | {"split": split}
        del found["depth"]
        return found

    def rank_inputs(self, graph, name: str, dataset: str, split: str) -> Inputs:
        return {"dataset": [graph.dataset(dataset)], "vectors": graph.ranker_files(name)}

    def rank_cost(self, sizes, dataset: str, split: str) -> Cost:
        examples, of = sizes.examples(dataset, split), sizes.graph.study.datasets[dataset].examples[split]
        return written(examples) + of_core(400_000, LINES) + of_core(EACH[of] * examples, TEXTS)


def rank(artifact: Artifact, settings, dataset: Path, vectors: Path) -> None:
    from dewpoint.artifact import member, record_of
    from dewpoint.data.dataset import Dataset
    from dewpoint.search.word_vectors import write_means

    columns, _ = Dataset(dataset).examples(settings.split)
    write_means(artifact, columns, member(vectors) if record_of(vectors) else vectors, settings)


def rehearse(artifact: Artifact, settings) -> None:
    """glove.6B.zip, tiny: all its files, with punctuation, numbers and words that are in no text."""
    from dewpoint.data.tiny import LINKS, VOCABULARY, Words

    words = Words(settings.seed)
    known = dict.fromkeys(
        word.lower() for word in (*LINKS, *VOCABULARY, ",", ".", "'s", "東京", "5,000.5", "0.25", "\x85")
    )
    made = {f"glove.6B.{size}d.txt": _lines(words, [*known], size) for size in SIZES}
    _write_zip(artifact.path(ARCHIVE), made)


def _lines(words: "Words", known: list[str], size: int) -> str:
    draw = words.random.gauss
    return "".join(f"{word} {' '.join(f'{draw(0, 0.4):.5g}' for _ in range(size))}\n" for word in known)


def _write_zip(path: Path, members: dict[str, str]) -> None:
    """The same whenever it is written."""
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text.encode(), zipfile.ZIP_DEFLATED)
