"""The jobs of a study, without Snakemake: which manifests lead to what is asked for, and where each job's log lies."""

from collections.abc import Iterable
from pathlib import Path

from dewpoint.study.bases import PASSAGES, QUERIES
from dewpoint.study.graph import EXPLORED, Graph
from dewpoint.watched import Job

# what the folder of a job's log is called, by that of what it makes; of models and prepared data it is said below
LOGS = {"embeddings": "encode", "derived": "derive", "indexes": "index", "runs": "rank", "latency": "latency"}
LOGS |= {"scores": "evaluate", "comparisons": "compare", "tables": "table", "clusters": "cluster"}


def jobs_of(graph: Graph) -> list[Job]:
    """All that the study's targets are made by, what is needed first before what needs it."""
    targets = [path for path in graph.targets if not path.endswith((".csv", ".md"))]
    found: dict[str, Job] = {}
    todo = [(path.replace("report.html", "report.json"), False) for path in reversed(targets)]
    while todo:
        path, seen = todo.pop()
        if path in found or not path.endswith(".json") or not _is_ours(graph, path):
            continue
        if seen:
            found[path] = _job(graph, path)
        else:
            todo.append((path, True))
            todo += [(source, False) for source in _inputs(graph, path)]
    return list(found.values())


def _is_ours(graph: Graph, path: str) -> bool:
    return path.startswith((f"{graph.results}/", f"{graph.data}/"))


def _parts(graph: Graph, path: str) -> tuple[bool, list[str]]:
    """(whether it is of the results, the folders and the name below these or the data)."""
    of_results = path.startswith(f"{graph.results}/")
    below = Path(path).relative_to(graph.results if of_results else graph.data)
    return of_results, [*(below.parent.parts if below.name == "manifest.json" else below.with_suffix("").parts)]


def _flat(inputs: dict[str, list[str]]) -> list[str]:
    return [path for paths in inputs.values() for path in paths]


def _inputs(graph: Graph, path: str) -> Iterable[str]:
    of_results, (folder, *names) = _parts(graph, path)
    return _of_results(graph, folder, names) if of_results else _of_data(graph, folder, names)


def _of_results(graph: Graph, folder: str, names: list[str]) -> Iterable[str]:
    if folder == "report":
        of_table = (lambda name: [graph.table(name)[2]]), graph.comparisons, graph.explored
        tables = [path for name in graph.study.tables for of in of_table for path in of(name)]
        return [*tables, *graph.all_scores, *graph.all_models, *graph.all_analyses]
    if folder == "tables":
        of = graph.table_scores, graph.comparisons, graph.table_turns, graph.table_costs
        return [path for one in of for path in one(names[0])]
    if folder == "comparisons":
        table = names[0].removeprefix(EXPLORED)
        return graph.table_scores(table) if table == names[0] else _flat(graph.explore_inputs(table))
    if folder == "embeddings":
        model, dataset, part = names
        side = PASSAGES if part.startswith("corpus-") else QUERIES
        return [graph.tokens(model, dataset, side), graph.model(model)]
    if folder in ("runs", "scores", "latency"):
        place = names[0], *names[1].split(".")
        if folder == "runs":
            return _flat(graph.rank_inputs(*place))
        if folder == "scores":
            return _flat(graph.evaluate_inputs(*place) if len(place) == 3 else graph.cost_inputs(*place))
        in_turns = names[0].startswith("turns+")
        return _flat(graph.turns_inputs(*place) if in_turns else graph.latency_inputs(*place[:2]))
    of = {"models": graph.model_inputs, "negatives": graph.negatives_inputs, "clusters": graph.clusters_inputs}
    of |= {"derived": graph.derive_inputs, "indexes": graph.index_inputs, "analyses": graph.analysis_inputs}
    return _flat(of[folder](*names[:2]))


def _of_data(graph: Graph, folder: str, names: list[str]) -> Iterable[str]:
    if folder == "tokenizers":
        return _flat(graph.tokenizer_inputs(names[0]))
    if folder in ("downloads", "files", "stand-ins"):
        return []
    if names[:1] == ["tokens"]:
        return [graph.dataset(folder), f"{graph.data}/tokenizers/{names[1]}/manifest.json"]
    return graph.dataset_files(folder)


def _job(graph: Graph, path: str) -> Job:
    of_results, (folder, *names) = _parts(graph, path)
    if not of_results:
        stage = {"tokenizers": "tokenizer", "downloads": "download", "files": "rehearse"}.get(folder, folder)
        if folder in graph.study.datasets:
            stage, names = ("tokenize", [folder, names[1]]) if names else ("prepare", [folder])
        file = Path(path).name.removesuffix(".json") if stage == "download" else "/".join(names)
        return Job(Path(path), stage, file, Path(graph.data, ".logs", stage, f"{file}.log"))
    stage, logs = LOGS.get(folder, folder), Path(graph.results, "logs")
    if folder == "report":
        return Job(Path(path), stage, "", logs / "report.log")
    if folder == "models":
        stage = graph.study.models[names[0]].tag()
    elif folder == "comparisons" and names[0].startswith(EXPLORED):
        stage, names = "explore", [names[0].removeprefix(EXPLORED)]
    elif folder == "latency" and names[0].startswith("turns+"):
        stage = "turns"
    elif folder == "scores" and "." not in names[1]:
        stage = "cost"
    if folder in ("embeddings", "derived"):  # one folder less
        *first, before, last = names
        file = "/".join([*first, f"{before}{'.' if folder == 'embeddings' else '-'}{last}"])
    else:
        file = "/".join(names)
    return Job(Path(path), stage, file, logs / stage / f"{file}.log")
