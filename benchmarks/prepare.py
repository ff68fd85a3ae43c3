"""How long MS MARCO's passages take to prepare, and in how much memory.

Generates files in the formats of the real ones (passages of 56 words of a Zipf vocabulary, titles, .057 training
queries and 45 training triples a passage) and prepares a quarter, half and all of them with titles and 30 negatives a
query. Prints seconds and peak memory of each, and what they come to at MS MARCO's size. Wants a quiet machine.
"""

import argparse
import gzip
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

from benchmarks import ours
from benchmarks.common import say
from dewpoint.artifact import Artifact
from dewpoint.sources.msmarco_passage import ARCHIVE, COLLECTION, PACKED, TITLES, TITLES_ARCHIVE, TREC, TRIPLES

MARCO = 8_841_823  # passages
WORDS, TITLE_WORDS, VOCABULARY = 56, 7, 200_000
TRAIN, UNJUDGED, TRIPLES_EACH = 0.057, 0.035, 45  # of a passage
DEV, TEST = 6980, 43
STUDY = {"datasets": {"marco": {"source": "msmarco-passage", "titles": True, "triples": 30}}}
BLOCK = 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path, default=ours.HOME / "data" / "benchmarks" / "prepare")
    parser.add_argument("--smoke", action="store_true", help="seconds, to see that it runs")
    options = parser.parse_args()
    most = 2000 if options.smoke else options.passages
    sizes, runs = [most // 4, most // 2, most], []
    for passages in sizes:
        project = ours.project(options.work / str(passages), STUDY)
        generate(project.path("data/downloads"), passages)
        # these files have not as many rows as were published
        runs.append(project.run_without(ours.dataset("marco"), "expected"))
        print(f"{passages:,} passages: {runs[-1].seconds:.1f} s, {runs[-1].mb} MB", flush=True)
    exponent = float(np.polyfit(np.log(sizes), np.log([run.seconds for run in runs]), 1)[0])
    growth, fixed = np.polyfit(sizes, [run.mb for run in runs], 1)
    say("exponent of the corpus's size", exponent, 1.1, most=True)
    minutes = runs[-1].seconds / 60 * (MARCO / sizes[-1]) ** max(exponent, 1)
    say(f"extrapolated to {MARCO:,} passages", minutes, 15, "minutes", most=True)
    say(f"extrapolated to {MARCO:,} passages", (fixed + growth * MARCO) / 1024, 3, "GiB", most=True)


def generate(folder: Path, passages: int) -> None:
    """The files that are fetched for `msmarco-passage`, each as the artifact that fetching makes."""
    random = np.random.default_rng(passages)
    train = random.permutation(passages)[: int(passages * TRAIN)]  # a query's number is that of its passage
    titles = texts(random, passages, TITLE_WORDS)
    fetched(folder, TITLES_ARCHIVE, lambda path: tar(path, {f"marco/{TITLES}": numbered(passages, titles)}))
    packed = {COLLECTION: numbered(passages, texts(random, passages, WORDS))}
    for split, judged in {"train": train, "dev": passages + np.arange(DEV)}.items():
        queries, judgements = PACKED[split]
        others = 2 * passages + DEV + np.arange(int(len(judged) * UNJUDGED / TRAIN))
        packed[queries] = lines(np.concatenate([judged, others]), "how much is it")
        packed[judgements] = lines(judged, "0", judged % passages, "1")
    fetched(folder, ARCHIVE, lambda path: tar(path, packed))
    for queries, judgements in TREC.values():
        rows = np.repeat(np.arange(TEST), 40), "Q0", random.permutation(passages)[np.arange(TEST * 40) % passages], "2"
        asked = gzip.compress(b"".join(lines(np.arange(TEST), "what is it")))
        fetched(folder, queries, lambda path, asked=asked: path.write_bytes(asked))
        judged = b"".join(lines(*rows, separator=" "))
        fetched(folder, judgements, lambda path, judged=judged: path.write_bytes(judged))
    fetched(folder, TRIPLES, lambda path: triples(path, passages, train, random))


def fetched(folder: Path, name: str, write: Callable[[Path], object]) -> None:
    """A file as if it had been fetched, unless it has been already."""
    manifest = folder / f"{name}.json"
    if not manifest.exists():
        artifact = Artifact(manifest)
        write(artifact.path(name))
        artifact.seal()


def triples(path: Path, passages: int, train: np.ndarray, random: np.random.Generator) -> None:
    """Query, its positive, a passage at random: by query."""
    each = int(passages * TRIPLES_EACH / len(train))
    with gzip.open(path, "wb", compresslevel=1) as file:
        for first in range(0, len(train), BLOCK // 10):
            query = np.repeat(train[first : first + BLOCK // 10], each)
            file.writelines(lines(query, query, random.integers(0, passages, len(query)), end="\r\n"))


def texts(random: np.random.Generator, count: int, words: int) -> Iterator[pa.Array]:
    """Texts of about so many words, in blocks."""
    spelled = [np.base_repr(number * 7919 + 1_000_000, 36).lower()[-1 - number % 9 :] for number in range(VOCABULARY)]
    known = pa.array(spelled)
    shares = np.cumsum(1 / np.arange(1, VOCABULARY + 1))
    for first in range(0, count, BLOCK):
        sizes = random.integers(words // 2, words + words // 2 + 1, min(BLOCK, count - first))
        drawn = np.searchsorted(shares, random.random(sizes.sum()) * shares[-1])
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        yield pc.binary_join(pa.ListArray.from_arrays(offsets, known.take(pa.array(drawn))), " ")


def numbered(count: int, blocks: Iterator[pa.Array]) -> Iterator[bytes]:
    """Lines with a text's number and itself."""
    first = 0
    for block in blocks:
        yield from lines(np.arange(first, first + len(block)), block)
        first += len(block)


def lines(*columns: np.ndarray | pa.Array | str, separator: str = "\t", end: str = "\n") -> Iterator[bytes]:
    """Rows of columns, a string being the same in all, in one piece."""
    fields = [pa.array(column).cast(pa.string()) if isinstance(column, np.ndarray) else column for column in columns]
    rows = pc.binary_join_element_wise(*fields, separator)
    yield memoryview(pc.binary_join_element_wise(rows, "", end).buffers()[2]).tobytes()


def tar(path: Path, members: dict[str, Iterator[bytes]]) -> None:
    """A .tar.gz; what goes in is written to a file first, for a tar says sizes before contents."""
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".") as file:
                file.writelines(content)
                file.flush()
                archive.add(file.name, name)


if __name__ == "__main__":
    main()
