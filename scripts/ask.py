"""Ask a study's rankers a question, and see what each finds, side by side.

python scripts/ask.py                                   asks for questions until an empty line
python scripts/ask.py how do I merge two data frames    answers this one
"""

import argparse
import shutil
import sys
import textwrap
import time
from itertools import zip_longest
from pathlib import Path

import yaml

from dewpoint.data.dataset import Dataset
from dewpoint.errors import UserError
from dewpoint.study.graph import Graph

SHOWN, SNIPPET_LINES = 5, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", nargs="*")
    parser.add_argument("--study", help="config.yaml's when left out")
    parser.add_argument("--rankers", nargs="*", help="of the study, BM25 or dense; the first and last of a table else")
    arguments = parser.parse_args()
    config = yaml.safe_load(Path("config.yaml").read_text())
    graph = Graph.load(config | ({"study": arguments.study} if arguments.study else {}))
    table = next(iter(graph.study.tables.values()))
    rankers = {name: load(graph, name, table.dataset) for name in arguments.rankers or pick(graph, table)}
    corpus = Dataset(Path(graph.dataset(table.dataset)))
    titles, texts = corpus.column("corpus", "title"), corpus.column("corpus", "text")
    while question := " ".join(arguments.question) or prompt():
        columns = []
        for name, search in rankers.items():
            began = time.perf_counter()
            run = search(question)
            heading = f"{name}, {1000 * (time.perf_counter() - began):.0f} ms"
            found = zip(run.passage.tolist(), run.score.tolist(), strict=True)
            columns.append((heading, [(score, titles[row].as_py(), texts[row].as_py()) for row, score in found]))
        print(side_by_side(columns, shutil.get_terminal_size().columns))
        if arguments.question:
            break


def pick(graph: Graph, table) -> list[str]:
    """The table's first BM25 and its last dense ranker."""
    kinds = {name: graph.study.rankers[name].kind for name in table.rankers}
    bm25 = [name for name, kind in kinds.items() if kind == "bm25"][:1]
    return bm25 + [name for name, kind in kinds.items() if kind == "dense"][-1:]


def load(graph: Graph, ranker: str, dataset: str):
    """A function from a question to a run of one query."""
    if ranker not in graph.study.rankers:
        raise UserError(f"no ranker '{ranker}' in {graph.config.study}; there is {', '.join(graph.study.rankers)}")
    kind = graph.study.rankers[ranker].kind
    manifest = Path(graph.index(ranker, dataset))
    if kind != "fusion" and not manifest.exists():
        raise UserError(f"{manifest}: not built yet; run the study first (make quickstart)")
    if kind == "bm25":
        from dewpoint.search import bm25

        index = bm25.load(manifest.parent)
        return lambda question: bm25.search(index, [question], SHOWN)
    if kind == "dense":
        from dewpoint.artifact import member
        from dewpoint.search import dense
        from dewpoint.search.encode import QuestionEncoder

        model = graph.dense_model(ranker)
        index = dense.load(member(manifest))
        node = graph.study.models[model]
        encoder = QuestionEncoder(Path(graph.model(model)).parent, node.query_length, node.query_prefix)
        return lambda question: dense.search(index, encoder(question), SHOWN)
    raise UserError(f"ranker '{ranker}' is a {kind}; name BM25 or dense rankers")


def side_by_side(columns: list[tuple[str, list[tuple[float, str, str]]]], width: int) -> str:
    """Each ranker's passages in a column of its own."""
    each = max(30, (width - 3 * (len(columns) - 1)) // len(columns))
    blocks = []
    for heading, passages in columns:
        lines = [heading, "─" * each]
        for rank, (score, title, text) in enumerate(passages, 1):
            lines += textwrap.wrap(f"{rank}  {score:.2f}  {title}", each)[:1]
            lines += textwrap.wrap(
                text, each - 3, initial_indent="   ", subsequent_indent="   ", max_lines=SNIPPET_LINES
            )
            lines.append("")
        blocks.append(lines if passages else [*lines, "nothing found"])
    rows = zip_longest(*blocks, fillvalue="")
    return "\n".join("   ".join(cell.ljust(each) for cell in row).rstrip() for row in rows)


def prompt() -> str:
    try:
        return input("\nquestion (empty to end): ").strip()
    except EOFError:
        return ""


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
