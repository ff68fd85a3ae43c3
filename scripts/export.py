"""Write a run as text, or vectors as NumPy's .npy: output.trec is TREC's format, output.tsv is MS MARCO's.

python scripts/export.py --run results/quickstart/runs/first/pydocs.test.json --dataset data/pydocs/manifest.json \
--output first.trec

python scripts/export.py --vectors results/quickstart/embeddings/first/pydocs/corpus-0of1.json --dataset \
data/pydocs/manifest.json --output first.npy

Beside output.npy the ids of its rows are in output.ids.txt, a line each; of an encoder with a vector a token
output.offsets.npy says where each text's begin.
"""

import os
from contextlib import ExitStack
from pathlib import Path

from dewpoint.data.dataset import Dataset
from dewpoint.data.run_files import marco_lines, trec_lines
from dewpoint.data.runs import query_blocks
from dewpoint.errors import UserError
from dewpoint.program import run as run_program


def main(run: Path | None, vectors: list[Path], dataset: Path, output: Path) -> None:
    """The split is in the run's name, DATASET.SPLIT.json; the tag of TREC's lines is its folder's, the ranker."""
    formats = {".npy": bool(vectors), ".trec": bool(run), ".tsv": bool(run)}
    if output.suffix not in formats:
        raise UserError(f"{output}: unknown format '{output.suffix}'; use .trec or .tsv, which is MS MARCO's, or .npy")
    if not formats[output.suffix] or (run and vectors):
        raise UserError(f"{output}: .trec and .tsv are of a --run, .npy is of --vectors; name the one that it is of")
    output.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if run:
            write_run(run, Dataset(dataset), partly(output, stack))
        else:
            beside = [partly(output.with_suffix(suffix), stack) for suffix in (".ids.txt", ".offsets.npy")]
            write_vectors(vectors, Dataset(dataset), partly(output, stack), *beside)


def partly(path: Path, stack: ExitStack) -> Path:
    """Where to write it; it is there under its name once all is written, and is never there in part."""
    partial = path.with_name(f".partial-{path.name}")

    def end(error, *_) -> None:
        if partial.exists() and error is None:
            os.replace(partial, path)
        partial.unlink(missing_ok=True)

    stack.push(end)
    return partial


def write_run(run: Path, data: Dataset, path: Path) -> None:
    split, tag = run.stem.rpartition(".")[2], "-".join(run.resolve().parent.name.split())
    ids = data.column(f"queries.{split}", "id"), data.column("corpus", "id")
    trec = path.suffix == ".trec"
    blocks = trec_lines(query_blocks(run), *ids, tag) if trec else marco_lines(query_blocks(run), *ids)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for block in blocks:
            file.writelines(f"{line}\n" for line in block.to_pylist())


def write_vectors(manifests: list[Path], data: Dataset, path: Path, ids: Path, offsets: Path) -> None:
    """Of a part, PART-0of2.json, all its shards in order."""
    from dewpoint.search.vector_files import write_ids, write_npy
    from dewpoint.search.vectors import Vectors

    part, vectors = manifests[0].stem.rpartition("-")[0], Vectors(manifests)
    batches = data.batches(part, ["id"])
    write_ids((id for batch in batches for id in batch["id"].to_pylist()), ids, len(vectors))
    write_npy(vectors, path, offsets)


if __name__ == "__main__":
    run_program(main)
