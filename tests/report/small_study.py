"""A study's results as the report reads them, a few lines each."""

import json
from pathlib import Path

from dewpoint.artifact import write_manifest
from dewpoint.study.grammar import Study, Table

COMMON = {"data": "docs", "batch_size": 8, "learning_rate": 1e-3}


def study(**changes) -> Study:
    """bert, then a retriever with the negatives of BM25, then one more with the first one's; and a fusion."""
    written = {
        "title": "Small",
        "datasets": {"docs": {"source": "beir", "path": "docs"}},
        "models": {
            "bert": {**COMMON, "recipe": "mlm", "from": "scratch", "architecture": {"layers": 2}},
            "first": {**COMMON, "recipe": "retriever", "from": "bert", "negatives": ["bm25"]},
            "second": {**COMMON, "recipe": "retriever", "from": "bert", "negatives": ["bm25", "first"], "epochs": 7},
        },
        "rankers": {
            "first": {"kind": "dense", "model": "first"},
            "second": {"kind": "dense", "model": "second"},
            "bm25": {"kind": "bm25"},
            "hybrid": {"kind": "fusion", "of": ["second", "bm25"]},
        },
        "tables": {
            "main": {"rankers": ["bm25", "second", "hybrid"], "on": "docs/test", "metrics": ["MRR@10", "R@100"]}
        },
    }
    return Study.model_validate(written | changes)


def without_models() -> Study:
    table = {"rankers": ["bm25"], "on": "docs/test", "metrics": ["MRR@10"]}
    return study(models={}, rankers={"bm25": {"kind": "bm25"}}, tables={"main": table})


def write(path: Path, settings: dict | None = None, facts: dict | None = None, inputs=(), seconds=1.0) -> Path:
    """A manifest."""
    run = {
        "seconds": seconds,
        "peak_memory_mb": 100,
        "device": "a small device",
        "finished": "2031-01-02T03:04:05+0000",
        "commit": "c0ffee",
        "python": "3.11.0",
        "versions": {"numpy": "9.9.9"},
    }
    record = {"format": 1, "facts": facts or {}, "settings": settings or {}, "inputs": {str(i): "" for i in inputs}}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_manifest(path, record | {"content": "", "run": run})
    return path


def results(folder: Path, study: Study) -> tuple[Path, Path]:
    """(results, data): a finished run of `study` with made-up numbers; a ranker's is its place in the table."""
    out, data = folder / "out", folder / "data"
    facts = {"passages": 12345, "queries": {"test": 3}, "judgements": {"test": 4}}
    write(data / "docs" / "manifest.json", {"source": "beir"}, facts)
    models = {}
    for name, model in study.models.items():
        settings = {"recipe": model.recipe, "seed": 1} | ({"epochs": model.epochs} if hasattr(model, "epochs") else {})
        models[name] = write(out / "models" / name / "manifest.json", settings, {"steps": 2, "parameters": 10})
        lines = [{"step": step, "loss_of_it": 2.0 - step, "learning_rate": 1, "gradient_norm": 1} for step in range(2)]
        (models[name].parent / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for name, table in study.tables.items():
        names = [metric if isinstance(table.on, str) else f"{'/'.join(on)} {metric}" for on, metric in metrics(table)]
        rows = [",".join(["ranker", *names])]
        for place, ranker in enumerate(table.rankers):
            for dataset, split in table.columns:
                run = write(out / "runs" / ranker / f"{dataset}.{split}.json", inputs=models.values())
                score = out / "scores" / ranker / f"{dataset}.{split}.json"
                write(score, facts={"queries": 3, "metrics": {}}, inputs=[run])
            rows.append(",".join([ranker, *(f"0.{place + 1}" for _ in names)]))
        (out / "tables").mkdir(exist_ok=True)
        (out / "tables" / f"{name}.csv").write_text("\n".join(rows))
    return out, data


def metrics(table: Table) -> list[tuple[tuple[str, str], str]]:
    return [(place, metric) for place, metrics in table.columns.items() for metric in metrics]
