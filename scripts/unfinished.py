"""A page of what is there of a study that is not finished: unfinished.html, beside where the report will be.

python scripts/unfinished.py studies/cocondenser.yaml
"""

import argparse
from pathlib import Path

from dewpoint.errors import UserError
from dewpoint.program import by_hand, namespace
from dewpoint.report.page import page
from dewpoint.study.grammar import Study
from dewpoint.study.graph import Graph
from dewpoint.study.jobs import jobs_of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", help="config.yaml's when left out")
    graph = Graph.of_config(parser.parse_args().study)
    results = Path(graph.results)
    missing = [f"{job.stage} {job.name}".strip() for job in jobs_of(graph) if not job.done]
    if not missing:
        print(f"all is made: {results}/report.html")
        return 0
    if not results.is_dir():
        raise UserError(f"{results}: nothing was made there; run the study first")
    given = namespace(graph.report_settings())
    study = Study.model_validate_json(given.study)
    written = vars(given.papers), vars(given.config)
    html = page(study, results, Path(graph.data), *written, command=graph.command, missing=missing)
    file = results / "unfinished.html"
    file.write_text(html, encoding="utf-8")
    print(f"{file}: {len(missing):,} jobs are not done yet")
    return 0


if __name__ == "__main__":
    by_hand(main)
