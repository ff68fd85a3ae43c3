"""Send a model of a study to a hub, with a card that says what the study measured of it.

python scripts/publish.py first --to me/first                      of config.yaml's study
python scripts/publish.py first studies/mine.yaml --dry            only writes the folder that would be sent
"""

import argparse
import os
from pathlib import Path

from dewpoint.errors import UserError
from dewpoint.inventory import inventory
from dewpoint.program import by_hand
from dewpoint.report.publishing import has_token, refuse_other_names, send, staged
from dewpoint.study.graph import Graph
from dewpoint.study.written import nearest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="an entry of the study's models")
    parser.add_argument("study", nargs="?", help="config.yaml's when left out")
    parser.add_argument("--to", help="the repository, ORG/NAME")
    parser.add_argument("--dry", action="store_true", help="only write the folder that would be sent")
    arguments = parser.parse_args()
    name, to = arguments.model, arguments.to
    graph = Graph.of_config(arguments.study)
    if name not in graph.study.models:
        raise UserError(f"{graph.config.study}: has no model '{name}'{nearest(name, list(graph.study.models))}")
    if graph.config.rehearse and not arguments.dry:
        raise UserError("config.yaml: rehearse: what a rehearsal made is not worth sending; DRY=1 (--dry) writes it")
    if to:
        refuse_other_names(to)
    elif not arguments.dry:
        raise UserError(
            "where to? Name the repository, TO=ORG/NAME (--to); DRY=1 (--dry) only writes what would be sent"
        )
    os.environ["DEWPOINT_NOTES"] = str(Path(graph.config.output, ".notes").absolute())
    held = inventory(Path(graph.results), Path(graph.data))
    folder = staged(held, name, rankers_of(graph.study, name), to, Path(graph.results, "publish", name))
    if arguments.dry:
        print(f"{folder}: what would be sent{f' to {to}' if to else ''}; nothing was")
    elif not has_token():
        raise UserError(
            f"no token for the hub, so nothing was sent; `hf auth login`, or HF_TOKEN=…; it lies in {folder}"
        )
    else:
        print(f"{folder} → {send(folder, to)}")


def rankers_of(study, model: str) -> list[str]:
    """Those that rank by this model: its own, its indexes, what it re-ranks."""
    named = {
        name: {one for _, section, one in ranker.names() if section == "models"}
        for name, ranker in study.rankers.items()
    }
    return [name for name, models in named.items() if models == {model}]


if __name__ == "__main__":
    by_hand(main)
