"""Reading a study: include, vary, grammar, cross-checks. Every mistake is one line that names the place."""

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from dewpoint.errors import UserError
from dewpoint.evaluation import registry
from dewpoint.study.grammar import (
    BATCHES,
    HIT,
    CoCondenser,
    Condenser,
    Config,
    Dense,
    Fusion,
    Given,
    Model,
    Pretraining,
    Released,
    Retriever,
    RunFiles,
    Study,
    Table,
    Vectors,
    is_latency,
)
from dewpoint.study.published import printed_table
from dewpoint.study.rehearsal import APART
from dewpoint.study.written import nearest, parse

TAKEN = ("downloads", "files", "stand-ins", "tokenizers", APART)  # folders below data/
SECTIONS = ("datasets", "models", "rankers", "tables")


def load_config(values: dict) -> Config:
    """config.yaml, with what `--config` changed in it."""
    return _validate(Config, values, "config.yaml")


def load_study(path: Path) -> Study:
    """The study in `path`, expanded and checked."""
    written = read(path)
    for section in SECTIONS:
        written[section] = expand(written.get(section) or {}, f"{path}: {section}")
    study = _validate(Study, written, str(path))
    indexed = {r.model for r in study.rankers.values() if isinstance(r, Dense) and r.index.name != "flat"}
    searched = [name for name, model in study.models.items() if isinstance(model, Vectors) or name in indexed]
    rows = {name: getattr(study.models[name], "published", None) for name in searched}
    implied = {name: Dense(kind="dense", model=name, published=row) for name, row in rows.items()}
    taken = sorted(implied.keys() & study.rankers.keys())
    if taken:
        raise UserError(f"{path}: rankers.{taken[0]}: a model has this name, and is a ranker already; rename one")
    study = study.model_copy(update={"rankers": implied | study.rankers})
    _cross_check(study, str(path))
    return study


# --- include and vary ---------------------------------------------------------------------------


UNNAMEABLE = re.compile(r"[^A-Za-z0-9._-]+")


def read(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The YAML of a study with the entries of those that it includes; its own win over included ones."""
    path = Path(path)
    if path.resolve() in above:
        raise UserError(f"{path}: includes itself")
    if not path.is_file():
        raise UserError(f"{path}: no such study{nearest(str(path), sorted(map(str, path.parent.glob('*.yaml'))))}")
    written = parse(path)
    if not isinstance(written, dict):
        raise UserError(f"{path}: expected datasets, models, rankers and tables")
    for section in SECTIONS:
        if not isinstance(written.get(section) or {}, dict):
            raise UserError(f"{path}: {section}: expected names with entries")
    for key in written:
        if key not in Study.model_fields and key != "include":
            raise UserError(f"{path}: {key}: unknown key{nearest(str(key), [*Study.model_fields, 'include'])}")
    includes = written.pop("include", None) or []
    if not isinstance(includes, list) or not all(isinstance(other, str) for other in includes):
        raise UserError(f"{path}: include: expected a list of studies, such as [shared.yaml]")
    merged: dict[str, Any] = {}
    for other in includes:
        included = read(path.parent / other, (*above, path.resolve()))
        for section in SECTIONS:
            merged[section] = merged.get(section, {}) | (included.get(section) or {})
    for section in SECTIONS:
        written[section] = merged.get(section, {}) | (written.get(section) or {})
    return written


def expand(entries: dict[str, Any], place: str) -> dict[str, Any]:
    """Entries with `vary:` written out, one for each combination of its values."""
    expanded: dict[str, Any] = {}
    for name, entry in entries.items():
        axes = {}
        if isinstance(entry, dict):
            axes = entry.get("vary", {})
            entry = {key: value for key, value in entry.items() if key != "vary"}
        if not isinstance(axes, dict) or not all(isinstance(values, list) and values for values in axes.values()):
            raise UserError(f"{place}.{name}.vary: expected axes, each with a list of values")
        for values in itertools.product(*axes.values()):
            chosen = dict(zip(axes, values, strict=True))
            one = str(_fill(name, {axis: UNNAMEABLE.sub("-", _text(value)) for axis, value in chosen.items()}))
            if one in expanded:
                missing = [axis for axis in axes if f"{{{axis}}}" not in name]
                hint = f"; put {{{missing[0]}}} in the name" if missing else ""
                raise UserError(f"{place}.{name}: two entries are named '{one}'{hint}")
            expanded[one] = _fill(entry, chosen)
    return expanded


def _fill(value: Any, chosen: dict[str, Any]) -> Any:
    """`value` with {axis} replaced; a string that is nothing but {axis} becomes the value itself."""
    if isinstance(value, dict):
        return {_fill(key, chosen): _fill(inner, chosen) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill(inner, chosen) for inner in value]
    if isinstance(value, str):
        for axis, one in chosen.items():
            if value == f"{{{axis}}}":
                return one
            value = value.replace(f"{{{axis}}}", _text(one))
    return value


def _text(value: Any) -> str:
    """A value as it stands in a name: [bm25, first] is bm25-first, null is none."""
    if isinstance(value, dict):
        return "-".join(f"{key}-{_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "-".join(map(_text, value)) or "none"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


# --- one line for every mistake -----------------------------------------------------------------


def _validate(kind: type[BaseModel], values: dict, path: str):
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        errors = error.errors()
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        location = [str(part) for part in first["loc"]]
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "unknown key" + nearest(location[-1], _known_keys(kind, location[:-1]))
        elif first["type"] == "union_tag_invalid":
            known = [tag.strip("' ") for tag in first["ctx"]["expected_tags"].split(",")]
            key = first["ctx"]["discriminator"].strip("'")
            message = f"unknown {key} '{first['ctx']['tag']}'" + nearest(first["ctx"]["tag"], known)
        elif first["type"] == "union_tag_not_found":
            message = f"needs {first['ctx']['discriminator']}"
        elif first["type"] == "string_pattern_mismatch":
            message = _expected(first["ctx"]["pattern"], str(first["input"]))
        elif first["type"] != "missing" and not isinstance(first["input"], dict | list):
            message += f", found {first['input']!r}"
        if location[:1] and location[0] in ("datasets", "models", "rankers"):
            location[2:3] = []  # pydantic puts the union's tag here
        if location[2:3] in (["index"], ["on"]):
            location[3:4] = []  # and here
        if location[-1:] == ["[key]"]:
            location[-1] = "(name)"
        rest = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise UserError(f"{path}: {'.'.join(location)}: {message}{rest}") from None


def _known_keys(kind: type[BaseModel], location: list[str]) -> list[str]:
    """What could have been written where an unknown key stands."""
    from dewpoint.study import grammar

    holders = {
        value.model_fields[tag].annotation.__args__[0]: value
        for value in vars(grammar).values()
        if isinstance(value, type) and issubclass(value, BaseModel)
        for tag in ("recipe", "kind", "source", "name")
        if tag in value.model_fields
    }
    holder = kind
    for index, part in enumerate(location):
        if index == 1:
            continue  # the entry's name
        if part in holders:
            holder = holders[part]
        elif part in ("architecture", "projection", "development", "tune"):
            holder = getattr(grammar, part.capitalize())
        elif part == "tables":
            holder = grammar.Table
        elif part == "published":
            holder = grammar.Row
        elif part in ("corpus", "queries", "judgements"):
            holder = {"corpus": grammar.PassageFile, "queries": grammar.QueryFile}.get(part, grammar.JudgementFile)
    return [field.alias or name for name, field in holder.model_fields.items()]


def _expected(pattern: str, found: str) -> str:
    """What a pattern stands for, in words."""
    if "MRR" in pattern:
        known = [metric for metric in registry.known() if re.match(pattern, metric)]
        kinds = {metric.split("@")[0].lower(): metric for metric in known}
        kind, _, cutoff = found.partition("@")
        close = difflib.get_close_matches(kind.lower(), kinds, 1, 0.5)
        close = close and kinds[close[0]].replace("@10", f"@{cutoff or 10}")
        nearest = f"; did you mean '{close}'?" if close else ""
        return f"unknown metric '{found}', write {', '.join(known)}{nearest}"
    name = f"a name of letters, digits, {'., ' if '.' in pattern else ''}- and _"
    expected = "paper/table" if "/" in pattern and "A-Z" not in pattern else "dataset/split" if "/" in pattern else name
    return f"expected {expected}, found '{found}'"


# --- cross-checks -------------------------------------------------------------------------------


def _cross_check(study: Study, path: str) -> None:
    def expect(name: str, known, place: str, what: str) -> None:
        if name not in known:
            raise UserError(f"{path}: {place}: no {what} '{name}'" + nearest(name, list(known)))

    def expect_split(split: str, dataset: str, place: str, metrics: Iterable[str] = ("MRR@10",)) -> None:
        kinds = {"answered" if registry.goes_by(metric) == registry.ANSWERS else "judged" for metric in metrics}
        for what in sorted(kinds):
            asked = study.datasets[dataset]
            known = asked.answered if what == "answered" else asked.judged
            if known is not None and split not in known:
                none = f"; dataset '{dataset}' has none"
                raise UserError(f"{path}: {place}: no {what} split '{split}'" + (nearest(split, known) or none))

    for name in study.datasets:
        if name in TAKEN:
            raise UserError(f"{path}: datasets.{name}: data/{name} has another use; take another name")
    if Path(path).stem == APART:
        raise UserError(f"{path}: results/{APART} has another use; give the file another name")
    for name, model in study.models.items():
        place = f"models.{name}"
        for key, source in model.sources.items():
            if source.startswith("path:") and not Path(source[5:]).is_dir():
                raise UserError(f"{path}: {place}.{key}: no folder '{source[5:]}'")
            if not source.startswith(("hub:", "path:")) and source != "scratch":
                expect(source, study.models, f"{place}.{key}", "model")
            if isinstance(model, Vectors) and source == "scratch":
                raise UserError(f"{path}: {place}.{key}: a retriever starts from another model, not from scratch")
            if isinstance(model, Released) and source in study.models:
                raise UserError(f"{path}: {place}.{key}: a released model is from hub:ORG/NAME or path:DIR")
        if isinstance(model, Model):
            expect(model.data, study.datasets, f"{place}.data", "dataset")
        if isinstance(model, Pretraining) and (model.from_ == "scratch") != (model.architecture is not None):
            raise UserError(f"{path}: {place}.architecture: goes with from: scratch, and only with it")
        if isinstance(model, Retriever):
            expect_split(model.split, model.data, f"{place}.split")
            if model.development:
                expect_split(model.development.split, model.data, f"{place}.development.split")
            for ranker in model.negatives:
                expect(ranker, study.rankers, f"{place}.negatives", "ranker")
                depth = study.rankers[ranker].depth
                deepest = model.development.depth if model.development else 0
                for key, wanted in (("negatives_depth", model.negatives_depth), ("development.depth", deepest)):
                    if wanted > depth:
                        raise UserError(f"{path}: {place}.{key}: {wanted}, but ranker '{ranker}' keeps {depth}")
    for name, ranker in study.rankers.items():
        if isinstance(ranker, Dense):
            expect(ranker.model, study.models, f"rankers.{name}.model", "model")
        if isinstance(ranker, Fusion):
            for part in ranker.of:
                expect(part, study.rankers, f"rankers.{name}.of", "ranker")
            cutoff = registry.entry(ranker.tune.metric)[1] or 0 if ranker.tune else 0
            if cutoff > ranker.depth:
                raise UserError(
                    f"{path}: rankers.{name}.tune.metric: {ranker.tune.metric}, but depth is {ranker.depth}"
                )
        if isinstance(ranker, Given):
            lists = [name for dataset in study.datasets.values() for name in dataset.lists]
            expect(ranker.list, dict.fromkeys(lists), f"rankers.{name}.list", "list")
        if isinstance(ranker, RunFiles):
            expect(ranker.on, study.datasets, f"rankers.{name}.on", "dataset")
            answered = study.datasets[ranker.on].answered
            for split, file in ranker.runs.items():
                how = f"{HIT}@1" if split in answered else "MRR@10"
                expect_split(split, ranker.on, f"rankers.{name}.runs", [how])
                if not Path(file).is_file():
                    raise UserError(f"{path}: rankers.{name}.runs.{split}: no file '{file}'")
    for name, table in study.tables.items():
        for ranker in table.rankers:
            expect(ranker, study.rankers, f"tables.{name}.rankers", "ranker")
        for (dataset, split), metrics in table.columns.items():
            expect(dataset, study.datasets, f"tables.{name}.on", "dataset")
            expect_split(split, dataset, f"tables.{name}.on", metrics)
            for ranker, metric in itertools.product(table.rankers, metrics):
                if is_latency(metric):
                    _check_latency(metric, study.rankers[ranker].kind, f"{path}: tables.{name}.metrics")
                elif (registry.entry(metric)[1] or 0) > study.rankers[ranker].depth:
                    raise UserError(
                        f"{path}: tables.{name}.metrics: {metric}, but ranker '{ranker}' keeps only "
                        f"{study.rankers[ranker].depth} passages; raise its depth"
                    )
    _refuse_cycles(study, path)
    for place, asked, dataset, split in asked_runs(study):
        for name, on in dict.fromkeys(runs_below(study, asked, split)):
            ranker = study.rankers[name]
            if isinstance(ranker, Given) and on not in study.datasets[dataset].lists.get(ranker.list, []):
                raise UserError(f"{path}: {place}: dataset '{dataset}' has no list '{ranker.list}' of {on} queries")
            if isinstance(ranker, RunFiles) and (ranker.on != dataset or on not in ranker.runs):
                raise UserError(f"{path}: {place}: {lacks(name, ranker, dataset, on)}")
            if isinstance(ranker, Fusion) and ranker.tune:
                expect_split(ranker.tune.split, dataset, f"rankers.{name}.tune.split")
                if place.startswith("tables.") and ranker.tune.split == split:
                    raise UserError(
                        f"{path}: {place}: the weights of ranker '{name}' are tuned on {dataset}/{split} itself; "
                        "tune them on another split"
                    )
    for name, model in study.models.items():
        _check_layers(study, name, model, path)
    for name, table in study.tables.items():
        if table.paper:
            _check_paper(study, table, f"{path}: tables.{name}")


def _check_paper(study: Study, table: Table, place: str) -> None:
    """A ranker reproduces one row of the paper's table, or none; and there are figures where it is measured."""
    try:
        printed = printed_table(table.paper)
    except UserError as error:
        raise UserError(f"{place}.paper: {error}") from None
    system_of = {str(one.row): one.row.system for one in printed.rows}
    taken: dict[str, str] = {}
    for ranker, published in ((ranker, study.rankers[ranker].published) for ranker in table.rankers):
        if not published:
            continue
        row = str(published)
        if row not in system_of:
            near = max(system_of, key=lambda known: (system_of[known] == published.system, _alike(known, row)))
            raise UserError(f"{place}.rankers: {table.paper} has no row {row} for '{ranker}'; the nearest is {near}")
        if row in taken:
            raise UserError(f"{place}.rankers: '{taken[row]}' and '{ranker}' have the same published row {row}")
        taken[row] = ranker
    for system in table.absent:
        rows = [row for row, name in system_of.items() if name == system]
        if not rows:
            systems = list(dict.fromkeys(system_of.values()))
            raise UserError(f"{place}.absent: {table.paper} has no system '{system}'{nearest(system, systems)}")
        if all(row in taken for row in rows):
            raise UserError(f"{place}.absent: '{system}' is not absent, '{taken[rows[0]]}' reproduces it")
    figures = dict.fromkeys(
        (on, metric) for one in printed.rows for on, metrics in one.on.items() for metric in metrics
    )
    asked = {
        ("/".join(study.datasets[dataset].in_papers(dataset, split)), metric)
        for (dataset, split), metrics in table.columns.items()
        for metric in metrics
    }
    if not asked & figures.keys():
        has, wanted = (", ".join(f"{on} {metric}" for on, metric in of) for of in (figures, sorted(asked)))
        raise UserError(f"{place}.on: {table.paper} has nothing on {wanted}; it has {has}")


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _check_latency(metric: str, kind: str, place: str) -> None:
    if int(metric.split("@")[1]) not in BATCHES:
        raise UserError(f"{place}: {metric}, but latency is measured @{', @'.join(map(str, BATCHES))}")
    if kind not in ("bm25", "dense"):
        raise UserError(f"{place}: {metric} is measured of bm25 and dense rankers, not of a {kind}")


def asked_runs(study: Study) -> Iterator[tuple[str, str, str, str]]:
    """(where it is said, ranker, dataset, split) of all runs that tables, negatives and development ask for."""
    for name, table in study.tables.items():
        for place in table.columns:
            yield from ((f"tables.{name}.on", ranker, *place) for ranker in table.rankers)
    for name, model in study.models.items():
        for ranker in getattr(model, "negatives", []):
            yield f"models.{name}.negatives", ranker, model.data, model.split
            if model.development:
                yield f"models.{name}.development", ranker, model.data, model.development.split


def runs_below(study: Study, ranker: str, split: str) -> Iterator[tuple[str, str]]:
    """(ranker, split) of a run and of all runs that it is fused from or that its weights are tuned on."""
    yield ranker, split
    fusion = study.rankers[ranker]
    if isinstance(fusion, Fusion):
        for on in dict.fromkeys([split, fusion.tune.split] if fusion.tune else [split]):
            for part in fusion.of:
                yield from runs_below(study, part, on)


def lacks(name: str, files: RunFiles, dataset: str, split: str) -> str:
    """That a ranker of files has no run on a split."""
    known = ", ".join(f"{files.on}/{known}" for known in files.runs)
    return f"ranker '{name}' has no run on {dataset}/{split}, only on {known}"


def needs(study: Study) -> dict[str, list[str]]:
    """What each model and ranker is made from, as `models.x` and `rankers.y`."""
    edges: dict[str, list[str]] = {}
    for name, model in study.models.items():
        sources = dict.fromkeys(model.sources.values())
        edges[f"models.{name}"] = [f"models.{source}" for source in sources if source in study.models]
        edges[f"models.{name}"] += [f"rankers.{ranker}" for ranker in getattr(model, "negatives", [])]
    for name, ranker in study.rankers.items():
        edges[f"rankers.{name}"] = [f"models.{ranker.model}"] if isinstance(ranker, Dense) else []
        edges[f"rankers.{name}"] += [f"rankers.{part}" for part in getattr(ranker, "of", [])]
    return edges


def _refuse_cycles(study: Study, path: str) -> None:
    edges, done = needs(study), set()

    def visit(node: str, trail: list[str]) -> None:
        if node in trail:
            raise UserError(f"{path}: {node}: needs itself: {' → '.join([*trail[trail.index(node) :], node])}")
        if node not in done:
            for need in edges[node]:
                visit(need, [*trail, node])
            done.add(node)

    for node in edges:
        visit(node, [])


def _check_layers(study: Study, name: str, model, path: str) -> None:
    """The split must leave a late layer, as far as the study says how many there are."""
    if not isinstance(model, Condenser | CoCondenser):
        return
    root = model
    while root.from_ in study.models:
        root = study.models[root.from_]
    if getattr(root, "architecture", None) and model.early_layers >= root.architecture.layers:
        raise UserError(
            f"{path}: models.{name}.early_layers: {model.early_layers} of {root.architecture.layers} layers leave none "
            "after the split"
        )
