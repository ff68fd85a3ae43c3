"""Ask a study's rankers a question, and see what each finds, side by side.

python scripts/ask.py                                   asks for questions until an empty line
python scripts/ask.py how do I merge two data frames    answers this one
python scripts/ask.py --rankers bm25 hybrid             asks these rankers of the study
"""

import argparse
import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import read_run
from dewpoint.errors import UserError, printable
from dewpoint.program import by_hand, given, namespace
from dewpoint.report.answers import Found, side_by_side
from dewpoint.search.live import Live
from dewpoint.study.graph import Graph
from dewpoint.study.kind import work_of

FAR = 0.05  # of a table's queries have a lower best score than what is near
NO_TEXT = "the question is not UTF-8; set the terminal to it"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", nargs="*")
    parser.add_argument("--study", help="config.yaml's when left out")
    parser.add_argument("--dataset", help="the first table's when left out")
    parser.add_argument(
        "--rankers", nargs="*", help="of the study; of its first table a hybrid, BM25 and the last dense one else"
    )
    parser.add_argument("--depth", type=at_least_one, default=5, help="passages shown of each")
    arguments = parser.parse_args()
    graph = Graph.of_config(arguments.study)
    dataset, names, split = arguments.dataset, arguments.rankers, None
    if table := next(iter(graph.study.tables.values()), None):
        dataset, names = dataset or next(iter(table.columns))[0], names or pick(graph, table.rankers)
        split = next((split for of, split in table.columns if of == dataset), None)
    if not dataset or not names:
        raise UserError(f"{graph.config.study}: has no table to choose by; name --dataset and --rankers")
    loaded: dict[str, Live] = {}
    rankers = {name: load(graph, name, dataset, loaded) for name in names}
    least = {
        name: usual(Path(graph.run(name, dataset, split))) for name in names if is_by_itself(graph, name) and split
    }
    corpus = Dataset(Path(graph.dataset(dataset)))
    columns = [corpus.column("corpus", name) for name in ("id", "title", "text")]
    bold = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    while question := " ".join(arguments.question) or prompt():
        shown, best = [], {}
        for name, rank in rankers.items():
            began = time.perf_counter()
            run, parts = rank([decoded(question)], min(arguments.depth, len(columns[0])))
            took = [f"{time.perf_counter() - began:.3f} s"]
            took += [f"{what} {seconds:.3f}" for what, seconds in parts.items() if len(parts) > 1]
            found = zip(run.passage.tolist(), run.score.tolist(), strict=True)
            passages = [Found(score, *(printable(column[row].as_py()) for column in columns)) for row, score in found]
            shown.append((f"{name}  ({', '.join(took)})", passages))
            best[name] = run.score.max(initial=-np.inf)
        print(side_by_side(shown, shutil.get_terminal_size().columns, question, bold))
        if far := is_far(best, least):
            print(far)
        if arguments.question:
            break


def pick(graph: Graph, rankers: list[str]) -> list[str]:
    """Of those that can be asked: the last that is made of others, the first without a model, the last with one."""
    asked = [name for name in rankers if graph.study.rankers[name].has("live")]
    alone = [name for name in asked if is_by_itself(graph, name)]
    plain = [name for name in alone if graph.study.rankers[name].waits_for() is None]
    others, dense = ([name for name in of if name not in left] for of, left in ((asked, alone), (alone, plain)))
    return others[-1:] + plain[:1] + dense[-1:]


def is_by_itself(graph: Graph, ranker: str) -> bool:
    """Whether it is made of no others, so that its scores say how near a passage is."""
    return not graph.study.rankers[ranker].asked_live()


def usual(run: Path) -> float | None:
    """What the best scores of a split's queries are seldom below, where these were ranked."""
    if not run.is_file():
        return None
    ranked = read_run(run)
    return float(np.quantile(ranked.score[ranked.rank == 1], FAR)) if len(ranked.query) else None


def is_far(best: dict[str, float], least: dict[str, float | None]) -> str | None:
    """A line where no ranker finds anything as near as it does for nearly all queries of the table."""
    known = {name: score for name, score in least.items() if score is not None}
    if not known or any(best[name] >= score for name, score in known.items()):
        return None
    return f"nothing is near: {1 - FAR:.0%} of the table's queries have better best scores by {' and by '.join(known)}"


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


def prompt() -> str:
    with suppress(ImportError):
        import readline  # noqa: F401  # what is typed can be edited, and typed again

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
