"""Retrievers of every kind by Snakemake: two encoders with two tokenizers, a projection, prefixes, a released one."""

import json

import pandas as pd
import yaml
from sentence_transformers import SentenceTransformer

from models.families import make
from workflow.conftest import STUDY, Project


def test_mixed_and_released_retrievers_come_to_a_table(project: Project):
    make("distilbert", project.folder / "tiny")
    path = project.folder / STUDY
    study = yaml.safe_load(path.read_text())
    development = {"queries": 20, "depth": 10, "passages": 50, "measurements": 2, "patience": 1}
    study["models"]["mixed-0.05"] = study["models"]["first"] | {
        "query_from": "path:tiny",
        "projection": {"size": 8, "norm": True},
        "pooling": "mean",
        "normalize": True,
        "loss": {"name": "contrast", "temperature": 0.05},
        "query_prefix": "query: ",
        "title": "prefix",
        "train_queries": 40,
        "epochs": 2,
        "development": development,
    }
    study["models"]["old"] = {
        "recipe": "released",
        "from": "path:results/mini/models/first",
        "passage_length": study["models"]["first"]["passage_length"],
    }
    study["models"]["raw"] = {"recipe": "released", "from": "path:tiny", "passage_length": 48}
    study["tables"] = {
        "kinds": {"rankers": ["first", "old", "raw", "mixed-0.05"], "on": "pydocs/test", "metrics": ["R@100"]}
    }
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    project.snakemake()

    results = project.folder / "results" / "mini"
    table = pd.read_csv(results / "tables" / "kinds.csv", index_col="ranker")["R@100"]
    assert table["old"] == table["first"] > 0 and table["mixed-0.05"] > 0
    logs = {name: (results / "logs" / "encode" / name / "pydocs.corpus-0of1.log").read_text() for name in table.index}
    assert {name for name, log in logs.items() if "was never trained to retrieve" in log} == {"raw"}
    facts = json.loads((results / "models" / "mixed-0.05" / "manifest.json").read_text())["facts"]
    steps = [json.loads(line) for line in (results / "models" / "mixed-0.05" / "metrics.jsonl").open()]
    measured = [step["development_MRR@10"] for step in steps if "development_MRR@10" in step]
    assert facts["queries"] == 40 and facts["best_development_MRR@10"] == max(measured)
    assert (facts["dimension"], facts["pooling"], facts["normalized"]) == (8, "mean", True)
    card = (results / "models" / "mixed-0.05" / "README.md").read_text()
    for said in ("trained on 40 queries of `train`", "`models/cocondenser` (", '"temperature": 0.05'):
        assert said in card
    assert "development_MRR" not in card.split("## What came of it")[0]
    assert "best_development_MRR@10" in card
    both = SentenceTransformer(str(results / "models" / "mixed-0.05"), device="cpu")
    assert both.encode_query(["merge"]).shape == both.encode_document(["merge"]).shape == (1, 8)
    page = (results / "report.html").read_text()
    assert "mixed-0.05" in page and "released" in page
    assert project.snakemake("--dry-run").stdout.count("Nothing to be done") == 1
