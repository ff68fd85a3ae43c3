"""Kinds: a module each, which declares what a study may write and does the work; found by folder, known by no one.

Two markers on a class's fields say what follows from them: `Names` that a field names other entries of the study,
`For` which stages of the work read it.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, reduce
from importlib import import_module
from operator import or_
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, model_validator
from pydantic.fields import FieldInfo

from dewpoint.errors import UserError

PACKAGE = Path(__file__).parents[1]
TAGS = {  # the folders with kinds, and the key by which a study says which
    "sources": "source",
    "recipes": "recipe",
    "rankers": "kind",
    "losses": "name",
    "batches": "name",
    "analyses": "kind",
}
WORK = "work"
OF_FOLDER = "AnyOfItsFolder"  # the type of a field that holds a kind of the same folder, written as a string


@dataclass(frozen=True)
class Names:
    """The field names entries of a section: what the work is made from, never one of its settings."""

    section: str
    released: bool = False  # or `scratch`, or what others have released: hub:ORG/NAME, path:DIR

    def among(self, value: Any) -> list[str]:
        """The names in a field's value."""
        values = [] if value is None else [value] if isinstance(value, str) else list(value)
        return [name for name in values if not (self.released and outside(name))]


@dataclass(frozen=True)
class For:
    """The field is read by these stages; one without the marker by the kind's own work."""

    stages: tuple[str, ...]

    def __init__(self, *stages: str):
        object.__setattr__(self, "stages", stages)


def outside(source: str) -> bool:
    """Whether a model's source is no entry of the study."""
    return source == "scratch" or source.startswith(("hub:", "path:"))


class Strict(BaseModel):
    """Whatever a study writes: no key but those that are declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def true_is_no_number(cls, values: Any) -> Any:
        """To Python it is 1."""
        for name, field in cls.model_fields.items() if isinstance(values, dict) else ():
            key = field.alias or name
            if _has_boolean(values.get(key)) and not _says_boolean(field.annotation):
                raise ValueError(f"{key}: neither true nor false can stand here")
        return values

    def settings(self, *stages: str) -> dict[str, Any]:
        """The fields that these stages read, less those that name entries; of what is written in it likewise."""
        read = {name for name, field in type(self).model_fields.items() if set(stages) & set(_stages(field))}
        parts = {name: part.settings(WORK) for name in read if isinstance(part := getattr(self, name), Strict)}
        return self.model_dump(include=read) | parts

    def names(self) -> Iterator[tuple[str, str, str]]:
        """(key, section, name) of all that it is made from, and that what is written in it is."""
        for name, field, names in _naming(type(self)):
            yield from ((field.alias or name, names.section, one) for one in names.among(getattr(self, name)))
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, Strict):
                    yield from ((f"{field.alias or name}.{key}", section, one) for key, section, one in part.names())

    def parts(self) -> Iterator["Strict"]:
        """Itself and all that is written in it."""
        yield self
        for name in type(self).model_fields:
            value = getattr(self, name)
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, Strict):
                    yield from part.parts()


class Kind(Strict):
    """The class of a kind. What the work needs beyond its settings, its cost and its small self are in the bases."""

    cites: ClassVar[tuple[str, ...]] = ()  # keys of report/references.bib

    def cited(self) -> tuple[str, ...]:
        """What to cite where it is used: the paper that it follows, that of a public dataset."""
        return self.cites

    def check(self, study) -> Iterator[tuple[str, str]]:
        """(key, what is wrong there and what would be right) of each mistake that only the whole study shows."""
        yield from ()

    def small(self) -> dict[str, Any]:
        """What is other in a rehearsal."""
        return {}

    def rehearsed(self, **more: Any) -> "Kind":
        """Itself as a rehearsal has it, and the kinds written in it."""
        values = self.small() | more
        rest = {name: getattr(self, name) for name in type(self).model_fields if name not in values}
        parts = {name: value.rehearsed() for name, value in rest.items() if isinstance(value, Kind)}
        return self.model_copy(update=parts | values)

    @classmethod
    def module(cls) -> str:
        return cls.__module__

    @classmethod
    def folder(cls) -> str:
        return cls.__module__.split(".")[-2]

    @classmethod
    def tag(cls) -> str:
        """What a study calls it."""
        return _tag(cls, TAGS[cls.folder()])

    @classmethod
    def has(cls, function: str) -> bool:
        return hasattr(import_module(cls.__module__), function)

    def function(self, stage: str) -> str | None:
        """The function of its module that does a stage's work, if there is that stage."""
        return stage if self.has(stage) else None

    def roots(self, stage: str) -> list[str]:
        """What the fingerprint of a stage's code begins with: its own work, and that of the kinds written in it."""
        below = [part for part in self.parts() if isinstance(part, Kind) and part is not self]
        return [f"{self.module()}:{self.function(stage)}", *(f"{part.module()}:{WORK}" for part in below)]


# --- discovery ----------------------------------------------------------------------------------


@cache
def kinds(folder: str) -> dict[str, type[Kind]]:
    """The kinds of a folder, by what a study calls them: every module that does not begin with an underscore."""
    found: dict[str, type[Kind]] = {}
    for path in sorted((PACKAGE / folder).glob("[!_]*.py")):
        module = import_module(f"{PACKAGE.name}.{folder}.{path.stem}")
        own = [value for value in vars(module).values() if _declares(value, module.__name__, TAGS[folder])]
        if len(own) != 1:
            raise UserError(f"{path}: {len(own)} classes with `{TAGS[folder]}: Literal[…]`; a kind's module has one")
        name = _tag(own[0], TAGS[folder])
        if name in found:
            raise UserError(f"{path}: {TAGS[folder]} '{name}' is that of {found[name].module()}, too")
        found[name] = own[0]
    any_one = _any(TAGS[folder], found, by_name=True)
    for one in found.values():  # in one may be any of its folder
        one.model_rebuild(_types_namespace={OF_FOLDER: any_one})
    return found


def kind(folder: str, name: str) -> type[Kind]:
    return kinds(folder)[name]


def work_of(folder: str, name: str, function: str = WORK) -> Callable:
    """What a kind does."""
    return getattr(import_module(kinds(folder)[name].module()), function)


def any_of(folder: str, by_name: bool = False) -> Any:
    """The type of an entry: any kind of a folder, told apart by its tag; `by_name` its name alone will do."""
    return _any(TAGS[folder], kinds(folder), by_name)


def _any(tag: str, found: dict[str, type[Kind]], by_name: bool) -> Any:
    union = reduce(or_, found.values())
    written = union if len(found) == 1 else Annotated[union, Discriminator(tag)]
    if not by_name:
        return written
    named = BeforeValidator(lambda value: {tag: value} if isinstance(value, str) else value, Literal[*found] | written)
    return Annotated[written, named]


def parameters(function: Callable) -> dict[str, Any]:
    """A function's parameters with their types: what the command line of its program has."""
    return {name: parameter.annotation for name, parameter in inspect.signature(function).parameters.items()}


def _has_boolean(value: Any) -> bool:
    """Whether it is one, or a list or mapping with one; what lies deeper is another entry's."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return any(isinstance(one, bool) for one in inside)


def _says_boolean(annotation: Any) -> bool:
    """Whether a field may hold one, or an entry that has fields of its own."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return annotation is bool or any(map(_says_boolean, get_args(annotation)))


def _declares(value: Any, module: str, tag: str) -> bool:
    if not (isinstance(value, type) and issubclass(value, Kind) and value.__module__ == module):
        return False
    return tag in value.model_fields and get_origin(value.model_fields[tag].annotation) is Literal


def _tag(kind: type[Kind], tag: str) -> str:
    return get_args(kind.model_fields[tag].annotation)[0]


def _stages(field: FieldInfo) -> tuple[str, ...]:
    """Which stages read a field."""
    if any(isinstance(marker, Names) for marker in field.metadata):
        return ()
    return next((marker.stages for marker in field.metadata if isinstance(marker, For)), (WORK,))


def _naming(kind: type[Strict]) -> list[tuple[str, FieldInfo, Names]]:
    return [
        (name, field, marker)
        for name, field in kind.model_fields.items()
        for marker in field.metadata
        if isinstance(marker, Names)
    ]
