"""Ask a study's rankers a question, and see what each finds, side by side.

python scripts/ask.py                                   asks for questions until an empty line
python scripts/ask.py how do I merge two data frames    answers this one
python scripts/ask.py --rankers bm25 hybrid             asks these rankers of the study
"""

import argparse
import shutil
import textwrap
import time
from itertools import zip_longest
from pathlib import Path

from dewpoint.data.dataset import Dataset
from dewpoint.errors import UserError, printable
from dewpoint.program import by_hand, given, namespace
from dewpoint.search.live import Live
from dewpoint.study.graph import Graph
from dewpoint.study.kind import work_of

SNIPPET_LINES = 3
NO_TEXT = "the question is not UTF-8; set the terminal to it"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", nargs="*")
    parser.add_argument("--study", help="config.yaml's when left out")
    parser.add_argument("--dataset", help="the first table's when left out")
    parser.add_argument("--rankers", nargs="*", help="of the study; the first BM25 and the last dense of a table else")
    parser.add_argument("--depth", type=at_least_one, default=5, help="passages shown of each")
    arguments = parser.parse_args()
    graph = Graph.of_config(arguments.study)
    dataset, names = arguments.dataset, arguments.rankers
    if not dataset or not names:
        if not graph.study.tables:
            raise UserError(f"{graph.config.study}: has no table to choose by; name --dataset and --rankers")
        table = next(iter(graph.study.tables.values()))
        dataset, names = dataset or next(iter(table.columns))[0], names or pick(graph, table.rankers)
    loaded: dict[str, Live] = {}
    rankers = {name: load(graph, name, dataset, loaded) for name in names}
    corpus = Dataset(Path(graph.dataset(dataset)))
    titles, texts = corpus.column("corpus", "title"), corpus.column("corpus", "text")
    while question := " ".join(arguments.question) or prompt():
        columns = []
        for name, rank in rankers.items():
            began = time.perf_counter()
            run, parts = rank([decoded(question)], min(arguments.depth, len(texts)))
            took = [f"{time.perf_counter() - began:.3f} s"]
            took += [f"{what} {seconds:.3f}" for what, seconds in parts.items() if len(parts) > 1]
            found = list(zip(run.passage.tolist(), run.score.tolist(), strict=True))
            shown = (map(printable, (titles[row].as_py(), texts[row].as_py())) for row, _ in found)
            passages = [(score, *both) for (_, score), both in zip(found, shown, strict=True)]
            columns.append((f"{name}  ({', '.join(took)})", passages))
        print(side_by_side(columns, shutil.get_terminal_size().columns))
        if arguments.question:
            break


def pick(graph: Graph, rankers: list[str]) -> list[str]:
    """Of those that can be asked and are made of no others: the first without a model, and the last with one."""
    asked = {
        name: graph.study.rankers[name].waits_for()
        for name in rankers
        if graph.study.rankers[name].has("live") and not graph.study.rankers[name].asked_live()
    }
    plain = [name for name, model in asked.items() if model is None][:1]
    return plain + [name for name, model in asked.items() if model is not None][-1:]


def load(graph: Graph, name: str, dataset: str, loaded: dict[str, Live]) -> Live:
    """A ranker of the study that can be asked; `loaded` are those that are so already."""
    if name in loaded:
        return loaded[name]
    if dataset not in graph.study.datasets:
        raise UserError(f"no dataset '{dataset}' in {graph.config.study}; there is {', '.join(graph.study.datasets)}")
    if name not in graph.study.rankers:
        raise UserError(f"no ranker '{name}' in {graph.config.study}; there is {', '.join(graph.study.rankers)}")
    ranker = graph.study.rankers[name]
    if not ranker.has("live"):
        raise UserError(f"ranker '{name}' is a {ranker.tag()}, whose answers are known beforehand; it cannot be asked")
    needed = graph.live_inputs(name, dataset)
    for manifest in sum(needed.values(), [graph.dataset(dataset)]):
        if not Path(manifest).exists():
            raise UserError(f"{manifest}: not built yet; run the study first (make quickstart)")
    parts = [(load(graph, part, dataset, loaded), graph.study.rankers[part].depth) for part in ranker.asked_live()]
    live = work_of("rankers", ranker.tag(), "live")
    values = given(live, {flag: list(map(Path, paths)) for flag, paths in needed.items()})
    settings = namespace(graph.live_settings(name, ""))
    loaded[name] = live(settings, **values, **({"parts": parts} if parts else {}))
    return loaded[name]


def side_by_side(columns: list[tuple[str, list[tuple[float, str, str]]]], width: int) -> str:
    """Each ranker's passages in a column of its own."""
    each = max(30, (width - 3 * (len(columns) - 1)) // len(columns))
    blocks = []
    for heading, passages in columns:
        lines = [*textwrap.wrap(heading, each), "─" * each]
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
    except UnicodeDecodeError:
        raise UserError(NO_TEXT) from None


def decoded(question: str) -> str:
    """A question in characters; what a shell passes need be none."""
    try:
        question.encode()
    except UnicodeEncodeError:
        raise UserError(NO_TEXT) from None
    return question


def at_least_one(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"expected a number of passages, found '{text}'")
    return int(text)


if __name__ == "__main__":
    by_hand(main)
