"""One file of a study: results and data with their manifests, the study, the config as it was run, and the code.

python scripts/archive.py                                         quickstart.tar.zst, of config.yaml's study
python scripts/archive.py studies/mine.yaml --to mine.tar.gz      where tar has no zstd
python scripts/archive.py --without embeddings indexes            without what is large, and made anew when asked for

Whoever unpacks it has nothing to make; make verify checks it, make verify AGAIN=1 makes it anew and compares.
"""

import argparse
import os
import sys
from pathlib import Path

from dewpoint.again import as_run
from dewpoint.archive import pack
from dewpoint.artifact import record_of
from dewpoint.errors import UserError
from dewpoint.inventory import RESULTS, Inventory, inventory
from dewpoint.program import by_hand
from dewpoint.study.graph import PROJECT, SHAPING, Graph, found
from dewpoint.study.parts import written_in
from dewpoint.verify import examine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", help="config.yaml's when left out")
    parser.add_argument("--to", type=Path, help="the archive, .tar.zst, .tar.gz or .tar; STUDY.tar.zst when left out")
    parser.add_argument("--without", nargs="*", default=[], metavar="STAGE", help="folders of results to leave out")
    arguments = parser.parse_args()
    for stage in arguments.without:
        if stage not in RESULTS:
            raise UserError(f"--without {stage}: expected some of {', '.join(RESULTS)}")
    graph = Graph.of_config(arguments.study)
    if graph.config.rehearse:
        raise UserError("config.yaml: rehearse: what a rehearsal made is not worth keeping; archive the study itself")
    held = inventory(Path(graph.results), Path(graph.data))
    if not held.artifacts:
        raise UserError(f"{graph.results}: nothing was made there; run {graph.config.study} first")
    os.environ["DEWPOINT_NOTES"] = str(Path(graph.config.output, ".notes").absolute())
    wrong = examine(held)
    if wrong.damaged:
        raise UserError(f"{wrong.damaged[0]}; make verify names all that is damaged, and nothing was archived")
    files = placed(written_in(found(graph.config.study)))
    files |= own_files(graph, held)
    study = next(iter(files))
    target = arguments.to or Path(f"{held.results.name}.tar.zst")
    config = graph.config.model_dump(include=set(SHAPING)) | as_run(held)
    count = pack(target, study, held, files, config, arguments.without)
    print(f"{target}: {count} artifacts, {target.stat().st_size / 1e6:,.1f} MB")


def placed(files: list[Path]) -> dict[str, Path]:
    """Where a study's files go, as they lie to each other: as here, or below studies/ where they lie elsewhere."""
    for root in (Path.cwd(), PROJECT):
        if all(file.resolve().is_relative_to(root.resolve()) for file in files):
            return {file.resolve().relative_to(root.resolve()).as_posix(): file for file in files}
    common = Path(os.path.commonpath([file.resolve().parent for file in files]))
    return {f"studies/{file.resolve().relative_to(common).as_posix()}": file for file in files}


def own_files(graph: Graph, held: Inventory) -> dict[str, Path]:
    """The user's files and folders of models; what lies elsewhere stays there, and is said."""
    inputs = {name: where for one in held.artifacts.values() for name, (where, _) in one.inputs.items()}
    paths = {where for name, where in inputs.items() if name not in held.artifacts and where.is_file()}
    paths = {path for path in paths if record_of(path) is None}
    sources = [source for model in graph.study.models.values() for source in model.sources.values()]
    for folder in {Path(source[5:]) for source in sources if source.startswith("path:")}:
        paths |= {path for path in folder.rglob("*") if path.is_file()}
    taken = {}
    for path in sorted(paths):
        if path.is_absolute() or ".." in path.parts:
            print(f"{path}: lies elsewhere and is not in the archive; it is needed to run again", file=sys.stderr)
        else:
            taken[path.as_posix()] = path
    return taken


if __name__ == "__main__":
    by_hand(main)
