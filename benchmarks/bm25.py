"""How fast BM25 is built and searched, and in how much memory: the project's, bm25s with and without numba, tantivy.

Each reads the same passages and questions, in a process of its own for building and one for searching, and analyses
text in its own way (English stop words, stems). Prints a line for each. Wants a quiet machine.
"""

import argparse
import multiprocessing
import resource
import sys
import time
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME / "scripts"), str(HOME)]

from benchmarks import ours
from benchmarks.common import here, paragraphs, sentences

LEAST = 40  # words of a paragraph that is a passage
PASSAGES, QUERIES, PASSAGE_WORDS, QUERY_WORDS = 100_000, 5_000, 80, 8  # of generated text
STUDY = {"rankers": {"bm25": {"kind": "bm25", "title": False}}}
SPLIT = "test"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="JSON lines (.gz) with `paragraphs`; generated text when left out")
    parser.add_argument("--queries", type=Path, help="JSON lines with `text`")
    parser.add_argument("--threads", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--depths", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--only", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--work", type=Path, default=HOME / "data" / "benchmarks" / "bm25")
    parser.add_argument("--smoke", action="store_true", help="seconds, to see that it runs")
    options = parser.parse_args()
    options.depths = [10] if options.smoke else options.depths
    project = prepared(options)
    index = project.made(ours.index("bm25", "text"))
    world = SimpleNamespace(
        dataset=project.path(ours.dataset("text")),
        index=project.path(ours.index("bm25", "text")).parent,
        k1=index.settings["k1"],
        b=index.settings["b"],
        threads=options.threads,
    )
    for name in options.only:
        packages, build, search = WAYS[name]
        if not here(name, *packages):
            continue
        folder = world.index if build is None else options.work / name.replace(" ", "-")
        took = index if build is None else apart(build, world, folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{name}: built in {took.seconds:.1f} s, {took.mb} MB; {size / 2**20:.0f} MB on disk", flush=True)
        for depth in options.depths:
            took = apart(search, world, folder, depth)
            print(f"{name}: depth {depth}, {took.result / took.seconds:,.0f} queries/s, {took.mb} MB", flush=True)


def prepared(options) -> ours.Project:
    """The passages and questions as a dataset, indexed by the project."""
    count = 500 if options.smoke else PASSAGES
    texts, asked = sentences(count, PASSAGE_WORDS, 0), sentences(count * QUERIES // PASSAGES, QUERY_WORDS, 1)
    if options.text and options.queries:
        texts = (text for text in paragraphs(options.text, "paragraphs") if len(text.split()) >= LEAST)
        asked = paragraphs(options.queries, "text")
    if options.smoke:
        texts, asked = islice(texts, count), islice(asked, 20)
    path = ours.beir(options.work / "files", texts, asked, SPLIT)
    return ours.project(options.work / "ours", {"datasets": {"text": {"source": "beir", "path": path}}, **STUDY})


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
    mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return SimpleNamespace(result=result, seconds=seconds, mb=mb)


def passages(world) -> list[str]:
    from dewpoint.data.dataset import Dataset

    return Dataset(world.dataset).column("corpus", "text").to_pylist()


def questions(world) -> list[str]:
    from dewpoint.data.dataset import Dataset

    return Dataset(world.dataset).column(f"queries.{SPLIT}", "text").to_pylist()


def search_ours(world, folder: Path, depth: int):
    from dewpoint.search import bm25

    index, queries = bm25.load(folder), questions(world)
    bm25.search(index, queries[:4], depth, world.threads)  # compiles
    yield
    for first in range(0, len(queries), bm25.QUERIES):
        bm25.search(index, queries[first : first + bm25.QUERIES], depth, world.threads, first)
    yield len(queries)


def build_bm25s(world, folder: Path):
    import bm25s
    import Stemmer

    yield
    index = bm25s.BM25(method="lucene", k1=world.k1, b=world.b)
    words = bm25s.tokenize(passages(world), stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)
    index.index(words, show_progress=False)
    yield index.save(folder, show_progress=False)


def search_bm25s(world, folder: Path, depth: int, backend: str = "numpy"):
    import bm25s
    import Stemmer

    index, queries, stemmer = bm25s.BM25.load(folder, mmap=True), questions(world), Stemmer.Stemmer("english")
    index.backend = backend
    if backend == "numba":
        index.activate_numba_scorer()
        words = bm25s.tokenize(queries[:4], stopwords="en", stemmer=stemmer, show_progress=False)
        index.retrieve(
            words, k=depth, n_threads=world.threads, backend_selection="numba", show_progress=False
        )  # compiles
    yield
    words = bm25s.tokenize(queries, stopwords="en", stemmer=stemmer, show_progress=False)
    index.retrieve(words, k=depth, n_threads=world.threads, backend_selection=backend, show_progress=False)
    yield len(queries)


def search_numba(world, folder: Path, depth: int):
    import numba

    numba.set_num_threads(world.threads)
    yield from search_bm25s(world, folder, depth, "numba")


def schema():
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", stored=False, tokenizer_name="en_stem", index_option="freq")
    builder.add_unsigned_field("row", stored=True)
    return builder.build()


def build_tantivy(world, folder: Path):
    import tantivy

    folder.mkdir(parents=True, exist_ok=True)
    yield
    index = tantivy.Index(schema(), path=str(folder))
    writer = index.writer(500_000_000, 2)
    for row, text in enumerate(passages(world)):
        writer.add_document(tantivy.Document.from_dict({"text": text, "row": row}, schema()))
    writer.commit()
    yield writer.wait_merging_threads()


def search_tantivy(world, folder: Path, depth: int):
    import re
    from concurrent.futures import ThreadPoolExecutor

    import tantivy

    from dewpoint.search.analyser import STOP_WORDS

    index, queries = tantivy.Index(schema(), path=str(folder)), questions(world)
    searcher = index.searcher()

    def one(text: str) -> list[tuple[float, int]]:
        words = [word for word in re.findall(r"\w+", text.lower()) if word not in STOP_WORDS["english"]]
        query = index.parse_query(" ".join(words), ["text"])
        hits = searcher.search(query, depth, count=False).hits
        return [(score, address.doc) for score, address in hits]

    yield
    with ThreadPoolExecutor(world.threads) as pool:
        list(pool.map(one, queries))
    yield len(queries)


WAYS = {  # what it needs, how it is built and searched; the workflow builds ours
    "ours": ((), None, search_ours),
    "bm25s": (("bm25s", "Stemmer"), build_bm25s, search_bm25s),
    "bm25s numba": (("bm25s", "Stemmer"), build_bm25s, search_numba),
    "tantivy": (("tantivy",), build_tantivy, search_tantivy),
}

if __name__ == "__main__":
    main()
