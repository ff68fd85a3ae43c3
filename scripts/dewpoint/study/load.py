"""Reading a study: include, vary, grammar, cross-checks. Every mistake is one line that names the place."""

import difflib
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from functools import reduce
from math import prod
from operator import getitem
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

from dewpoint.errors import UserError
from dewpoint.evaluation import costs, registry
from dewpoint.evaluation.registry import BATCHES
from dewpoint.study.grammar import SECTIONS, Config, Study, Table
from dewpoint.study.kind import Kind, Strict, kinds
from dewpoint.study.published import printed_table
from dewpoint.study.rehearsal import APART
from dewpoint.study.written import LARGEST, as_text, in_names, nearest, parse

OTHER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9][A-Za-z0-9._-]*")  # another study's model
TAKEN = ("downloads", "files", "stand-ins", "tokenizers", APART)  # folders below data/
ALL_SECTIONS = (*SECTIONS, "tables")
MOST_STUDIES = 50  # that models are taken from, or that are included
MOST_ENTRIES = 20_000  # of a section, `vary:` written out
LONGEST = 100_000  # letters of a text, `vary:` written out
LONGEST_CHAIN = 100  # entries, each made from the next


def load_config(values: dict) -> Config:
    """config.yaml, with what `--config` changed in it."""
    return _validate(Config, values, "config.yaml")


def load_study(path: Path) -> Study:
    """The study in `path`, expanded and checked."""
    return _load(Path(path), {})[0]


Loaded = dict[Path, tuple[Study, dict[str, Any]] | None]  # studies, and what they say; None while one is being loaded


def _load(path: Path, known: Loaded) -> tuple[Study, dict[str, Any]]:
    """A study, and what it and those that it includes say, `vary:` written out, several datasets of a model joined."""
    here = path.resolve()
    if here not in known:
        known[here] = None
        written = read(path)
        for section in ALL_SECTIONS:
            written[section] = expand(written.get(section) or {}, f"{path}: {section}")
        _join_datasets(written, str(path))
        _take_models(written, path, known)
        study = _with_implied(_validate(Study, written, str(path)), str(path))
        _cross_check(study, str(path))
        known[here] = study, written
    return known[here]


def _join_datasets(written: dict[str, Any], path: str) -> None:
    """`data: [a, b]` of a model is `a--b`, a dataset that joins the two."""
    joining = next(name for name, kind in kinds("sources").items() if kind.joins() and "of" in kind.model_fields)
    for name, model in written["models"].items():
        data = model.get("data") if isinstance(model, dict) else None
        if isinstance(data, list):
            if len(data) < 2 or not all(isinstance(one, str) for one in data):
                raise UserError(f"{path}: models.{name}.data: expected a dataset, or names of several, such as [a, b]")
            model["data"] = "--".join(data)
            joined = {"source": joining, "of": data}
            if written["datasets"].setdefault(model["data"], joined) != joined:
                raise UserError(f"{path}: datasets.{model['data']}: {' and '.join(data)} together are called so")


def _take_models(written: dict[str, Any], path: Path, known: Loaded) -> None:
    """`from: other/model` takes in the model of the study beside this one, with all that it is made from.

    What comes from there begins with the other study's name. Where it is finished, its artifacts are taken over.
    """
    for name, model in list(written["models"].items()):
        for key in ("from", "query_from"):
            source = model.get(key) if isinstance(model, dict) else None
            if isinstance(source, str) and OTHER.fullmatch(source):
                other, wanted = source.split("/")
                model[key] = f"{other}.{wanted}"
                _take_in(written, path.parent / f"{other}.yaml", wanted, f"{path}: models.{name}.{key}", known)


def _take_in(written: dict[str, Any], beside: Path, wanted: str, place: str, known: Loaded) -> None:
    if not beside.is_file():
        there = [one.stem for one in sorted(beside.parent.glob("*.yaml"))]
        raise UserError(f"{place}: no study {beside}{nearest(beside.stem, there)}")
    if known.get(beside.resolve(), "not yet") is None:
        raise UserError(f"{place}: {beside} takes a model from here itself; put what both need into a third study")
    if len(known) > MOST_STUDIES:
        raise UserError(f"{place}: the {len(known)}th study that is taken from, at most {MOST_STUDIES}")
    study, theirs = _load(beside, known)
    if wanted not in study.models:
        raise UserError(f"{place}: {beside} has no model '{wanted}'{nearest(wanted, [*study.models])}")
    found = study.made_from([f"models.{wanted}"])
    for section, name, entry in study.entries():
        if f"{section}.{name}" not in found or name not in theirs[section]:
            continue  # not needed, or implied by a model
        taken = deepcopy(theirs[section][name])
        for key, of, one in entry.names():
            if of == "datasets":
                for dataset in (one, *(part for _, _, part in study.datasets[one].names())):
                    definition = theirs["datasets"][dataset]
                    if written["datasets"].setdefault(dataset, definition) != definition:
                        raise UserError(f"{place}: it is made from dataset '{dataset}', which is another one here")
                continue
            *around, key = key.split(".")
            holder = reduce(getitem, around, taken)
            if isinstance(holder[key], list):
                holder[key] = [f"{beside.stem}.{part}" if part == one else part for part in holder[key]]
            else:
                holder[key] = f"{beside.stem}.{one}"
        written[section][f"{beside.stem}.{name}"] = taken


def _with_implied(study: Study, path: str) -> Study:
    """With the rankers that models are, and those that other rankers bring."""
    implied, known = {}, kinds("rankers")
    for ranker in study.rankers.values():
        implied |= ranker.implied()
    for name, model in study.models.items():
        if model.ranker:
            told = {"kind": model.ranker, "model": name, "published": model.published, **model.ranked}
            implied[name] = known[model.ranker](**told)
    implied = {name: implied[name] for name in study.models if name in implied}  # in the order of models
    taken = sorted(implied.keys() & study.rankers.keys())
    if taken:
        raise UserError(f"{path}: rankers.{taken[0]}: a model has this name, and is a ranker already; rename one")
    return study.model_copy(update={"rankers": implied | study.rankers})


# --- include and vary ---------------------------------------------------------------------------


def read(path: Path, known: dict[Path, dict[str, Any] | None] | None = None) -> dict[str, Any]:
    """The YAML of a study with the entries of those that it includes; its own win over included ones.

    `known` are studies that were read before, each once; None while one is being read.
    """
    path, known = Path(path), {} if known is None else known
    if (here := path.resolve()) in known:
        if known[here] is None:
            raise UserError(f"{path}: includes itself")
        return dict(known[here])
    known[here] = None
    if len(known) > MOST_STUDIES:
        raise UserError(f"{path}: the {len(known)}th study that is included, at most {MOST_STUDIES}")
    if not path.is_file():
        raise UserError(f"{path}: no such study{nearest(str(path), sorted(map(str, path.parent.glob('*.yaml'))))}")
    written = parse(path)
    if not isinstance(written, dict):
        raise UserError(f"{path}: expected datasets, models, rankers and tables")
    for section in ALL_SECTIONS:
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
        included = read(path.parent / other, known)
        for section in ALL_SECTIONS:
            merged[section] = merged.get(section, {}) | (included.get(section) or {})
    for section in ALL_SECTIONS:
        written[section] = merged.get(section, {}) | (written.get(section) or {})
    known[here] = written
    return dict(written)


def expand(entries: dict[str, Any], place: str) -> dict[str, Any]:
    """Entries with `vary:` written out, one for each combination of its values."""
    expanded: dict[str, Any] = {}
    for name, entry in entries.items():
        axes = {}
        if isinstance(entry, dict):
            axes = entry.get("vary", {})
            entry = {key: value for key, value in entry.items() if key != "vary"}
        if not isinstance(name, str):
            raise UserError(f"{place}: expected a name, found {name!r}; put it in quotes")
        if not isinstance(axes, dict) or not all(isinstance(values, list) and values for values in axes.values()):
            raise UserError(f"{place}.{name}.vary: expected axes, each with a list of values")
        for axis, values in axes.items():
            if not isinstance(axis, str):
                raise UserError(f"{place}.{name}.vary: expected an axis's name, found {axis!r}; put it in quotes")
            texts = [as_text(float(one) if isinstance(one, int | float) else one) for one in values]
            if twice := [text for text, times in Counter(texts).items() if times > 1]:
                raise UserError(f"{place}.{name}.vary.{axis}: {twice[0]} is there twice")
        count = prod(map(len, axes.values()))
        if len(expanded) + count > MOST_ENTRIES or count * _size(entry) > LARGEST:
            raise UserError(f"{place}.{name}.vary: makes {count:,} entries, which is more than a study can have")
        for values in itertools.product(*axes.values()):
            chosen = dict(zip(axes, values, strict=True))
            one = str(_fill(name, {axis: in_names(value) for axis, value in chosen.items()}))
            if one in expanded:
                missing = [axis for axis in axes if f"{{{axis}}}" not in name]
                hint = f"; put {{{missing[0]}}} in the name" if missing else ""
                raise UserError(f"{place}.{name}: two entries are named '{one}'{hint}")
            try:
                expanded[one] = _fill(entry, chosen)
            except UserError as error:
                raise UserError(f"{place}.{name}.vary: {error}") from None
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
            text, times = as_text(one), value.count(f"{{{axis}}}")
            if times * len(text) > LONGEST:
                raise UserError(f"{{{axis}}} makes a text of {times * len(text):,} letters, at most {LONGEST:,}")
            value = value.replace(f"{{{axis}}}", text)
    return value


def _size(value: Any) -> int:
    """How many values something has in it, and itself."""
    inside = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, inside))


# --- one line for every mistake -----------------------------------------------------------------


def _validate(kind: type[BaseModel], values: dict, path: str):
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        errors = error.errors()
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        location, holder = located(kind, first["loc"], named=first["type"] == "extra_forbidden")
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "unknown key" + nearest(location[-1], _keys(holder))
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
        rest = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise UserError(": ".join(filter(None, [path, ".".join(location), message])) + rest) from None


def located(type_: Any, parts: tuple, named: bool = False) -> tuple[list[str], Any]:
    """Where pydantic's location is in what was written, and the type that holds its last part.

    Where types are told apart by a tag, pydantic puts the tag into the location; nobody wrote it there, nor
    "[key]", unless all parts are `named`.
    """
    place, holder = [], type_
    for part in parts:
        member = next((one for one in _members(type_) if part in _tags(one)), None)
        if member is not None:
            type_ = member
            continue
        holder = _bare(type_)
        if named or part != "[key]":  # the name is wrong, and has been said
            place.append(str(part))
            type_ = _inner(holder, part)
    return place, holder


def _bare(type_: Any) -> Any:
    """Without `Annotated`, and without `| None`."""
    if get_origin(type_) is Annotated:
        return _bare(get_args(type_)[0])
    members = [one for one in _members(type_) if one is not type(None)]
    return _bare(members[0]) if len(members) == 1 else type_


def _members(type_: Any) -> tuple:
    """The types of a union."""
    if get_origin(type_) is Annotated:
        return _members(get_args(type_)[0])
    return get_args(type_) if get_origin(type_) in (Union, UnionType) else ()


def _tags(type_: Any) -> list[str]:
    """By what a union's member is told from the others."""
    marked = [one.tag for one in get_args(type_)[1:] if isinstance(one, Tag)] if get_origin(type_) is Annotated else []
    bare = _bare(type_)
    fields = bare.model_fields.values() if isinstance(bare, type) and issubclass(bare, Strict) else ()
    literals = (get_args(field.annotation) for field in fields if get_origin(field.annotation) is Literal)
    return marked + [values[0] for values in literals if len(values) == 1]


def _inner(holder: Any, part: str | int) -> Any:
    """The type of a part of a mapping, a list or an entry."""
    if get_origin(holder) in (dict, list):
        return get_args(holder)[-1]
    if isinstance(holder, type) and issubclass(holder, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in holder.model_fields.items()}
        return fields.get(part)
    return None


def _keys(holder: Any) -> list[str]:
    """What could have been written where an unknown key stands."""
    return [field.alias or name for name, field in holder.model_fields.items()]


def _expected(pattern: str, found: str) -> str:
    """What a pattern stands for, in words."""
    if "MRR" in pattern:
        known = [metric for metric in [*registry.known(), *costs.known()] if re.match(pattern, metric)]
        kinds = {metric.split("@")[0].lower(): metric for metric in reversed(known)}  # rather one with a cutoff
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
    for place, message in itertools.chain(
        _names_taken(study, path),
        _unknown_names(study),
        _cycles(study),
        _without_passages(study),
        *(entry_mistakes(section, name, entry, study) for section, name, entry in study.entries()),
        _table_mistakes(study),
        _run_mistakes(study),
        _paper_mistakes(study),
    ):
        raise UserError(f"{path}: {place}: {message}")


Mistakes = Iterator[tuple[str, str]]  # (place, what is wrong)


def _names_taken(study: Study, path: str) -> Mistakes:
    for name in study.datasets:
        if name in TAKEN:
            yield f"datasets.{name}", f"data/{name} has another use; take another name"
    if (stem := Path(path).stem) == APART:
        yield f"results/{APART}", "has another use; give the file another name"
    if not stem.isprintable() or {*"{}"} & {*stem}:
        yield f"results/{stem}", "this folder's name cannot be; take braces and the like out of the file's name"


def _unknown_names(study: Study) -> Mistakes:
    for section, name, entry in study.entries():
        for key, of, one in entry.names():
            if one not in getattr(study, of):
                known = [*getattr(study, of)]
                yield f"{section}.{name}.{key}", f"no {of.removesuffix('s')} '{one}'" + nearest(one, known)


def _without_passages(study: Study) -> Mistakes:
    """Entries that read the passages of a dataset that has none."""
    for section, name, entry in study.entries():
        for key, of, one in entry.names() if not getattr(entry, "of_examples", False) else ():
            if of == "datasets" and not study.datasets[one].has_passages:
                yield f"{section}.{name}.{key}", f"dataset '{one}' has examples and no passages"


def _parts(entry: Strict, where: str) -> Iterator[tuple[Strict, str]]:
    """An entry and the kinds written in it, and where they are."""
    yield entry, where
    for name, field in type(entry).model_fields.items():
        if isinstance(value := getattr(entry, name), Kind):
            yield from _parts(value, f"{where}.{field.alias or name}")


def entry_mistakes(section: str, name: str, entry: Strict, study: Study) -> Mistakes:
    for part, where in _parts(entry, f"{section}.{name}"):
        if isinstance(part, Kind):
            yield from ((f"{where}.{key}", message) for key, message in part.check(study))


def _table_mistakes(study: Study) -> Mistakes:
    for name, table in study.tables.items():
        place = f"tables.{name}"
        for (dataset, split), metrics in table.columns.items():
            if wrong := study.lacks_split(dataset, split, metrics):
                yield f"{place}.on", wrong
            for metric in filter(costs.is_timed, metrics):
                yield from ((f"{place}.metrics", wrong) for wrong in _not_timed(metric, table, study))
            for ranker, metric in itertools.product(table.rankers, metrics):
                if not costs.is_cost(metric) and (registry.entry(metric)[1] or 0) > study.rankers[ranker].depth:
                    depth = study.rankers[ranker].depth
                    yield (
                        f"{place}.metrics",
                        f"{metric}, but ranker '{ranker}' keeps only {depth} passages; raise its depth",
                    )


def _not_timed(metric: str, table: Table, study: Study) -> Iterator[str]:
    """A ranker that cannot be timed has a dash; of a table in which none can nothing would be shown."""
    if int(metric.split("@")[1]) not in BATCHES:
        yield f"{metric}, but latency is measured @{', @'.join(map(str, BATCHES))}"
    if not study.timed(table.rankers):
        yield f"{metric} is not measured of {study.untimed(table.rankers[0])}"


def _cycles(study: Study) -> Mistakes:
    """Entries that need themselves, and chains that are longer than programs can follow."""
    edges = study.needs()
    depth: dict[str, int] = {}  # of finished nodes: how long the chain is that each begins
    for first in edges:
        trail = {first: iter(edges[first])} if first not in depth else {}
        while trail:
            node = next(reversed(trail))
            need = next((need for need in trail[node] if need not in depth), None)
            if need in trail:
                around = [*trail]
                yield need, f"needs itself: {' → '.join([*around[around.index(need) :], need])}"
                return
            if need is not None:
                trail[need] = iter(edges[need])
                continue
            depth[node] = 1 + max((depth[need] for need in edges[node]), default=0)
            if depth[node] > LONGEST_CHAIN:
                yield node, f"is made from {depth[node]} others, each made from the next; at most {LONGEST_CHAIN}"
                return
            del trail[node]


def _run_mistakes(study: Study) -> Mistakes:
    for place, *asked in study.asked():
        for name, dataset, split in study.below(*asked):
            shown = place.startswith("tables.")
            if wrong := _of_other_texts(study, name, dataset, split):
                yield place, wrong
            for key, message in study.rankers[name].check_on(study, name, dataset, split, shown):
                yield f"rankers.{name}.{key}" if key else place, message


def _of_other_texts(study: Study, ranker: str, dataset: str, split: str) -> str | None:
    """What is wrong where passages are ranked for examples, or passages compared like the texts of examples."""
    kind, examples = study.rankers[ranker], split in study.datasets[dataset].examples
    if kind.of_examples and not examples:
        return f"ranker '{ranker}', a {kind.tag()}, compares the texts of examples, and {dataset}/{split} has none"
    if examples and not kind.of_examples:
        of = [name for name, one in kinds("rankers").items() if one.of_examples]
        return f"ranker '{ranker}', a {kind.tag()}, ranks passages, and {dataset}/{split} has none but examples; " + (
            f"kind: {' or '.join(of)} compares their texts"
        )
    return None


def notes(study: Study) -> Iterator[str]:
    """What may be meant, and should be known: models that are trained on the queries that they are measured on."""
    for name, table in study.tables.items():
        for ranker, place in itertools.product(table.rankers, table.columns):
            for node in sorted(study.made_from([f"rankers.{ranker}"])):
                section, _, model = node.partition(".")
                trained = study.models[model] if section == "models" else None
                if (getattr(trained, "split", None), place[0]) == (place[1], getattr(trained, "data", None)):
                    on = "/".join(place)
                    yield f"tables.{name}: '{ranker}' is measured on {on}, and model '{model}' is trained on it"


def _paper_mistakes(study: Study) -> Mistakes:
    for name, table in study.tables.items():
        if table.paper:
            yield from _of_paper(study, table, f"tables.{name}")


def _of_paper(study: Study, table: Table, place: str) -> Mistakes:
    """A ranker reproduces one row of the paper's table, or none; and there are figures where it is measured."""
    try:
        printed = printed_table(table.paper)
    except UserError as error:
        yield f"{place}.paper", str(error)
        return
    system_of = {str(one.row): one.row.system for one in printed.rows}
    taken: dict[str, str] = {}
    for ranker, published in ((ranker, study.rankers[ranker].published) for ranker in table.rankers):
        if not published:
            continue
        row = str(published)
        if row not in system_of:
            near = max(system_of, key=lambda known: (system_of[known] == published.system, _alike(known, row)))
            yield f"{place}.rankers", f"{table.paper} has no row {row} for '{ranker}'; the nearest is {near}"
        if row in taken:
            yield f"{place}.rankers", f"'{taken[row]}' and '{ranker}' have the same published row {row}"
        taken[row] = ranker
    for system in table.absent:
        rows = [row for row, name in system_of.items() if name == system]
        if not rows:
            systems = list(dict.fromkeys(system_of.values()))
            yield f"{place}.absent", f"{table.paper} has no system '{system}'{nearest(system, systems)}"
        elif all(row in taken for row in rows):
            yield f"{place}.absent", f"'{system}' is not absent, '{taken[rows[0]]}' reproduces it"
    figures = dict.fromkeys(
        (on, metric) for one in printed.rows for on, metrics in one.on.items() for metric in metrics
    )
    asked = {
        (study.in_papers(table, dataset, split), metric)
        for (dataset, split), metrics in table.columns.items()
        for metric in metrics
    }
    if not asked & figures.keys():
        has, wanted = (", ".join(f"{on} {metric}" for on, metric in of) for of in (figures, sorted(asked)))
        yield f"{place}.on", f"{table.paper} has nothing on {wanted}; it has {has}"


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
