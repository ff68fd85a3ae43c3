"""`wiki-sections`: triplets of sentences of Wikipedia, two of one section and one of another (Ein Dor et al., 2018)."""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from dewpoint.data import tiny
from dewpoint.data.catalogue import Download
from dewpoint.evaluation.registry import TRIPLETS
from dewpoint.sources._examples import TRIPLET, Examples, tiny_triplet, triplets_of, written

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

REVISION = "576bb61f0fc9ebc728b742f91bd5c81cb7d92c71"
ADDRESS = f"https://huggingface.co/datasets/sentence-transformers/wikipedia-sections/resolve/{REVISION}/triplet/"
LICENCE = "none is stated; its texts are Wikipedia's, CC BY-SA 3.0"
FILES = {
    "train": ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
    "dev": ["validation-00000-of-00001.parquet"],
    "test": ["test-00000-of-00001.parquet"],
}
EXPECTED = {"train": 1_779_417, "dev": 220_400, "test": 222_957}  # as the dataset's card has them


def kept(name: str) -> str:
    """What a file of theirs is called here, where all datasets' files lie together."""
    return f"wikipedia-sections-{name}"


class WikiSections(Examples):
    """Triplets of Wikipedia's sentences, two of a section and one of another one; splits train, dev and test."""

    cites: ClassVar[tuple[str, ...]] = ("eindor2018sections",)

    source: Literal["wiki-sections"]

    @property
    def examples(self) -> dict[str, str]:
        return dict.fromkeys(FILES, TRIPLETS)

    def in_papers(self, name: str, split: str) -> tuple[str, str]:
        return "wiki-section", split

    def downloads(self) -> dict[str, Download]:
        return {kept(name): Download(f"{ADDRESS}{name}", licence=LICENCE) for name in chain(*FILES.values())}

    def expected(self) -> dict[str, int | dict[str, int]]:
        return {"examples": EXPECTED}

    def expected_small(self) -> dict[str, int | dict[str, int]]:
        return {"examples": {"train": tiny.TRAIN, "dev": tiny.DEV, "test": tiny.TEST}}


def write(writer: "DatasetWriter", files: dict[str, Path]) -> None:
    for split, names in FILES.items():
        paths = [files[kept(name)] for name in names]
        written(writer, split, chain.from_iterable(triplets_of(path, TRIPLET) for path in paths), str(paths[0]))


def rehearse(folder: Path, words: tiny.Words) -> None:
    """All files, with odd texts; those of a split hold its triplets by turns."""
    sizes = {"train": tiny.TRAIN, "dev": tiny.DEV, "test": tiny.TEST}
    for split, names in FILES.items():
        made = [dict(zip(TRIPLET, tiny_triplet(words, row), strict=True)) for row in range(sizes[split])]
        for number, name in enumerate(names):
            tiny.write_parquet(folder / kept(name), made[number :: len(names)])
