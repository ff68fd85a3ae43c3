"""How fast BM25 is built and searched, and in how much memory: the project's, bm25s with and without numba, tantivy.

Each reads the same passages and questions, in a process of its own for building and one for searching, and analyses
text in its own way (English stop words, stems). Prints a line for each. Wants a quiet machine.
"""

import argparse
import gzip
import json
import multiprocessing
import resource
import sys
import time
from pathlib import Path
from types import SimpleNamespace

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

K1, B, WORDS = 0.9, 0.4, 40
SETTINGS = {"k1": K1, "b": B, "words": "standard", "stop_words": "english", "stemmer": "porter", "title": False}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="JSON lines (.gz) with `paragraphs`")
    parser.add_argument("--queries", type=Path, required=True, help="JSON lines with `text`")
    parser.add_argument("--threads", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--depths", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--only", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--work", type=Path, default=HOME / "data" / "benchmarks" / "bm25")
    options = parser.parse_args()
    prepare(options)
    for name in options.only:
        build, search = WAYS[name]
        folder = options.work / name.replace(" ", "-")
        took = apart(build, options.work, folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{name}: built in {took.seconds:.1f} s, {took.memory} MB; {size / 2**20:.0f} MB on disk", flush=True)
        for depth in options.depths:
            took = apart(search, options.work, folder, depth, options.threads)
            print(f"{name}: depth {depth}, {took.result / took.seconds:,.0f} queries/s, {took.memory} MB", flush=True)


def apart(work, *arguments) -> SimpleNamespace:
    """What `work` gives in a new process, its seconds (without imports and loading) and its peak memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (work, *arguments))


def measured(work, *arguments) -> SimpleNamespace:
    task = work(*arguments)
    next(task)  # all that is loaded first
    began = time.perf_counter()
    result = next(task)
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return SimpleNamespace(result=result, seconds=seconds, memory=memory)


def prepare(options) -> None:
    """The paragraphs of WORDS words or more as a dataset, in batches to read; the questions as lines."""
    from dewpoint.artifact import Artifact
    from dewpoint.data.dataset import DatasetWriter

    manifest = options.work / "data" / "manifest.json"
    if manifest.exists():
        return
    artifact = Artifact(manifest)
    writer, opened = DatasetWriter(artifact), gzip.open if options.text.suffix == ".gz" else open
    with opened(options.text, "rt") as file:
        for line in file:
            for paragraph in json.loads(line)["paragraphs"]:
                if len(paragraph.split()) >= WORDS:
                    writer.paragraph(str(writer.count), paragraph, "", "")
    with open(options.queries) as file:
        for number, line in enumerate(file):
            writer.query("", "test", str(number), json.loads(line)["text"])
    writer.finish()
    artifact.seal()


def passages(work: Path) -> list[str]:
    from dewpoint.data.dataset import Dataset

    return Dataset(work / "data" / "manifest.json").column("corpus", "text").to_pylist()


def questions(work: Path) -> list[str]:
    from dewpoint.data.dataset import Dataset

    return Dataset(work / "data" / "manifest.json").column("queries.test", "text").to_pylist()


def build_ours(work: Path, folder: Path):
    from dewpoint.artifact import Artifact
    from dewpoint.data.dataset import Dataset
    from dewpoint.search import bm25

    artifact = Artifact(folder / "manifest.json", SETTINGS)
    yield
    bm25.build(artifact, Dataset(work / "data" / "manifest.json"), SimpleNamespace(**SETTINGS))
    yield artifact.seal()


def search_ours(work: Path, folder: Path, depth: int, threads: int):
    from dewpoint.search import bm25

    index, queries = bm25.load(folder), questions(work)
    bm25.search(index, queries[:4], depth, threads)  # compiles
    yield
    for first in range(0, len(queries), bm25.QUERIES):
        bm25.search(index, queries[first : first + bm25.QUERIES], depth, threads, first)
    yield len(queries)


def build_bm25s(work: Path, folder: Path):
    import bm25s
    import Stemmer

    yield
    index = bm25s.BM25(method="lucene", k1=K1, b=B)
    words = bm25s.tokenize(passages(work), stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)
    index.index(words, show_progress=False)
    yield index.save(folder, show_progress=False)


def search_bm25s(work: Path, folder: Path, depth: int, threads: int, backend: str = "numpy"):
    import bm25s
    import Stemmer

    index, queries, stemmer = bm25s.BM25.load(folder, mmap=True), questions(work), Stemmer.Stemmer("english")
    index.backend = backend
    if backend == "numba":
        index.activate_numba_scorer()
        words = bm25s.tokenize(queries[:4], stopwords="en", stemmer=stemmer, show_progress=False)
        index.retrieve(words, k=depth, n_threads=threads, backend_selection="numba", show_progress=False)  # compiles
    yield
    words = bm25s.tokenize(queries, stopwords="en", stemmer=stemmer, show_progress=False)
    index.retrieve(words, k=depth, n_threads=threads, backend_selection=backend, show_progress=False)
    yield len(queries)


def search_numba(work: Path, folder: Path, depth: int, threads: int):
    import numba

    numba.set_num_threads(threads)
    yield from search_bm25s(work, folder, depth, threads, "numba")


def schema():
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", stored=False, tokenizer_name="en_stem", index_option="freq")
    builder.add_unsigned_field("row", stored=True)
    return builder.build()


def build_tantivy(work: Path, folder: Path):
    import tantivy

    folder.mkdir(parents=True, exist_ok=True)
    yield
    index = tantivy.Index(schema(), path=str(folder))
    writer = index.writer(500_000_000, 2)
    for row, text in enumerate(passages(work)):
        writer.add_document(tantivy.Document.from_dict({"text": text, "row": row}, schema()))
    writer.commit()
    yield writer.wait_merging_threads()


def search_tantivy(work: Path, folder: Path, depth: int, threads: int):
    import re
    from concurrent.futures import ThreadPoolExecutor

    import tantivy

    from dewpoint.search.analyser import STOP_WORDS

    index, queries = tantivy.Index(schema(), path=str(folder)), questions(work)
    searcher = index.searcher()

    def one(text: str) -> list[tuple[float, int]]:
        words = [word for word in re.findall(r"\w+", text.lower()) if word not in STOP_WORDS["english"]]
        query = index.parse_query(" ".join(words), ["text"])
        hits = searcher.search(query, depth, count=False).hits
        return [(score, address.doc) for score, address in hits]

    yield
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, queries))
    yield len(queries)


WAYS = {
    "ours": (build_ours, search_ours),
    "bm25s": (build_bm25s, search_bm25s),
    "bm25s numba": (build_bm25s, search_numba),
    "tantivy": (build_tantivy, search_tantivy),
}

if __name__ == "__main__":
    main()
