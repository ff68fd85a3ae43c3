"""Write a run as text: output.trec is TREC's format, output.tsv is MS MARCO's.

python scripts/export.py --run results/quickstart/runs/first/pydocs.test.json --dataset data/pydocs/manifest.json \
--output first.trec
"""

import os
from pathlib import Path

from dewpoint.data.dataset import Dataset
from dewpoint.data.run_files import marco_lines, trec_lines
from dewpoint.data.runs import query_blocks
from dewpoint.errors import UserError
from dewpoint.program import run as run_program


def main(run: Path, dataset: Path, output: Path) -> None:
    """The split is in the run's name, DATASET.SPLIT.json; the tag of TREC's lines is its folder's, the ranker."""
    split, tag = run.stem.rpartition(".")[2], "-".join(run.resolve().parent.name.split())
    data = Dataset(dataset)
    ids = data.column(f"queries.{split}", "id"), data.column("corpus", "id")
    if output.suffix == ".trec":
        blocks = trec_lines(query_blocks(run), *ids, tag)
    elif output.suffix == ".tsv":
        blocks = marco_lines(query_blocks(run), *ids)
    else:
        raise UserError(f"{output}: unknown format '{output.suffix}'; use .trec or .tsv, which is MS MARCO's")
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".partial-{output.name}")
    try:
        with open(partial, "w", encoding="utf-8", newline="\n") as file:
            for block in blocks:
                file.writelines(f"{line}\n" for line in block.to_pylist())
        os.replace(partial, output)
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    run_program(main)
