"""Approximate indexes, as rankers that search vectors name them."""

import difflib
import re
from collections.abc import Callable
from math import gcd
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from dewpoint.study.kind import For, Strict
from dewpoint.study.types import Count

CRASHES = re.compile(r"(HNSW|NSG)[01](?!\d)|[A-Za-z]+0(?!\d)")
AT_SEARCH = For("search")  # parameters that can be changed once an index is built


class Flat(Strict):
    """Exact search."""

    name: Literal["flat"]


class Hnsw(Strict):
    """A graph of neighbours."""

    name: Literal["hnsw"]
    M: Count = Field(32, ge=2, le=1024, description="neighbours of a passage")
    efConstruction: Count = Field(200, description="candidates looked at for a new passage's neighbours")
    efSearch: Annotated[Count, AT_SEARCH] = Field(128, description="candidates looked at for a query")


class Trained(Strict):
    sample: Count | None = Field(
        None, description="passages drawn at random to train on; left out: 65,536, or 64 a list if that is more"
    )


class Ivf(Trained):
    """Lists of passages around centroids, the nearest of which are searched."""

    name: Literal["ivf"]
    nlist: Count | None = Field(None, description="lists; left out: a power of two, two to four times √passages")
    nprobe: Annotated[Count, AT_SEARCH] = Field(32, description="lists searched for a query")


class Pq(Trained):
    """Vectors in a few bytes each, by product quantisation."""

    name: Literal["pq"]
    bytes: Count | None = Field(None, description="of a vector, a divisor of its dimension; left out: about an eighth")


class IvfPq(Pq, Ivf):
    """Lists of vectors in a few bytes each."""

    name: Literal["ivf-pq"]


class Sq8(Trained):
    """A byte for each dimension."""

    name: Literal["sq8"]


def buildable(factory: str) -> str:
    """Without what FAISS answers with a crash in place of a message."""
    if found := CRASHES.search(factory):
        raise ValueError(f"'{found[0]}' in it cannot be built; a graph's nodes have at least 2 neighbours")
    return factory


class Factory(Trained):
    """Any index that FAISS can name."""

    name: Literal["factory"]
    factory: Annotated[str, AfterValidator(buildable)] = Field(
        description="FAISS's factory string, such as OPQ16_64,IVF1024,PQ16"
    )
    search: Annotated[dict[str, float], AT_SEARCH] = Field(
        {}, description="FAISS's search parameters, such as {nprobe: 32}"
    )


class Float16(Strict):
    """Every passage is looked at, two bytes for each dimension."""

    name: Literal["float16"]


class Int8(Strict):
    """Every passage is looked at, a byte for each dimension, from the least to the most that is found there."""

    name: Literal["int8"]


class Bits(Strict):
    """Every passage is looked at, a bit for each dimension: above the mean or not."""

    name: Literal["bits"]


INDEXES = {"flat": Flat, "hnsw": Hnsw, "ivf": Ivf, "ivf-pq": IvfPq, "pq": Pq, "sq8": Sq8, "factory": Factory}
CODES = {"float16": Float16, "int8": Int8, "bits": Bits}
CODE_BYTES = {"flat": 4, "float16": 2, "int8": 1, "bits": 1 / 8}
COMPONENTS = re.compile(r"^[A-Z]\w*(\(.*\))?(,[A-Z]\w*(\(.*\))?)*$")  # FAISS's all begin with a capital letter


def _named(known: dict[str, type[Strict]]) -> Callable[[Any], Any]:
    """An index as a mapping, also where the study has just a name or a factory string."""

    def named(index: Any) -> Any:
        if not isinstance(index, str):
            return index
        if index in known:
            return {"name": index}
        if not COMPONENTS.match(index):
            close = difflib.get_close_matches(index, known, 1, 0.5)
            nearest = f"; did you mean '{close[0]}'?" if close else ""
            names = ", ".join(name for name in known if name != "factory")
            raise ValueError(f"unknown index '{index}', write {names} or a factory string of FAISS{nearest}")
        return {"name": "factory", "factory": index}

    return named


AnyIndex = Flat | Hnsw | Ivf | IvfPq | Pq | Sq8 | Factory
Index = Annotated[AnyIndex, Field(discriminator="name"), BeforeValidator(_named(INDEXES), str | AnyIndex)]
AnySmall = AnyIndex | Float16 | Int8 | Bits
SmallIndex = Annotated[AnySmall, Field(discriminator="name"), BeforeValidator(_named(INDEXES | CODES), str | AnySmall)]


def code_bytes(index: AnySmall) -> float | None:
    """Of a dimension, where every passage is looked at."""
    return CODE_BYTES.get(index.name)


def parameters(index: AnyIndex) -> dict[str, float]:
    """FAISS's parameters of a search."""
    given = index.settings("search")
    return given | given.pop("search", {})


def smaller(index: AnyIndex) -> AnyIndex:
    """For a rehearsal's few vectors."""
    given = index.model_dump()
    few = {"nlist": min(given.get("nlist") or 4, 4), "bytes": gcd(given.get("bytes") or 8, 8)}
    few |= {"sample": None, "factory": "Flat", "search": {}}
    return index.model_copy(update={key: value for key, value in few.items() if key in given})
