"""`pydocs`: docstrings of what is installed, as a retrieval set. Nothing is imported, nothing is downloaded.

Query: a docstring's first paragraph when it is one line. Passage: the rest, titled with the qualified name less
the words that the query gives away. Document: the module.
"""

import ast
import hashlib
import importlib.util
import inspect
import re
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from dewpoint.errors import UserError
from dewpoint.study.bases import Source
from dewpoint.study.types import Once

if TYPE_CHECKING:
    from dewpoint.data.dataset import DatasetWriter

MIN_QUERY_WORDS, MIN_PASSAGE_WORDS = 4, 15
SKIPPED = {"test", "tests", "testing", "idlelib", "lib2to3", "site-packages", "dist-packages", "__pycache__"}
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


Package = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Pydocs(Source):
    """Docstrings of the standard library and of installed packages."""

    average_words: ClassVar[float] = 60
    estimated: ClassVar[int] = 5_000

    source: Literal["pydocs"]
    packages: Annotated[list[Package], Once] = Field(
        ["stdlib", "numpy", "pandas"], min_length=1, description="'stdlib' or package names"
    )
    split_by: Literal["docstring", "module"] = Field(
        "docstring", description="what a tenth of is dev and a tenth test: each docstring for itself, or whole modules"
    )

    @property
    def judged(self) -> list[str]:
        return ["train", "dev", "test"]

    def small(self) -> dict[str, Any]:
        return {"packages": ["json", "email", "logging"]}  # docstrings for seconds


def write(writer: "DatasetWriter", packages: list[str], split_by: str = "docstring") -> None:
    """Write every docstring that splits into a question and an answer; of duplicates the first stays."""
    pairs, seen = [], set()
    for package in packages:
        for module, name, docstring in docstrings(package):
            pair = question_and_answer(docstring)
            if pair is None or {name, *map(str.lower, pair)} & seen:
                continue
            seen |= {name, *map(str.lower, pair)}
            pairs.append((module, name, *pair, split(module if split_by == "module" else name)))
    for module, name, question, answer, _ in pairs:
        writer.passage(module, name, answer, title(name, question), module)
    writer.end_of_corpus(f"pydocs: packages {', '.join(packages)}")
    for module, name, question, _, part in pairs:
        writer.query(module, part, name, question)
        writer.judgement(module, part, name, name)


def docstrings(package: str) -> Iterator[tuple[str, str, str]]:
    """(module, qualified name, docstring) of a package, or of the whole standard library, in a fixed order."""
    for root, prefix in roots(package):
        for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            parts = path.relative_to(root if root.is_dir() else root.parent).with_suffix("").parts
            if SKIPPED & set(parts):
                continue
            module = ".".join(part for part in (*prefix, *parts) if part != "__init__")
            try:
                with warnings.catch_warnings(action="ignore"):
                    tree = ast.parse(path.read_bytes())
            except (SyntaxError, ValueError):
                continue
            for name, node in _documented(tree, module):
                docstring = ast.get_docstring(node, clean=False)
                if docstring:
                    yield module, name, inspect.cleandoc(docstring)


def roots(package: str) -> list[tuple[Path, tuple[str, ...]]]:
    """Where a package's source lies, with the name that its files' module names start with."""
    if package == "stdlib":
        return [(Path(sysconfig.get_path("stdlib")), ())]
    try:
        spec = importlib.util.find_spec(package) if "." not in package else None
    except ValueError:
        spec = None
    if spec is None or not (spec.submodule_search_locations or spec.has_location):
        raise UserError(f"pydocs: package '{package}' is not installed; name an installed package or 'stdlib'")
    if spec.submodule_search_locations:
        return [(Path(location), (package,)) for location in spec.submodule_search_locations]
    return [(Path(spec.origin), ())]


def question_and_answer(docstring: str) -> tuple[str, str] | None:
    """(summary line, rest), each on one line; nothing when either is too short to mean something."""
    summary, _, rest = docstring.partition("\n\n")
    question, answer = " ".join(summary.split()), " ".join(rest.split())
    if "\n" in summary.strip() or len(question.split()) < MIN_QUERY_WORDS or len(answer.split()) < MIN_PASSAGE_WORDS:
        return None
    return question, answer


def title(name: str, question: str) -> str:
    """The qualified name as words, without those that the question holds."""
    given_away = {_stem(word) for word in WORD.findall(question)}
    return " ".join(word for word in WORD.findall(name) if _stem(word) not in given_away)


def split(name: str) -> str:
    """A tenth is dev, a tenth test: a function of the name, so rows never move."""
    return {0: "test", 1: "dev"}.get(int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10, "train")


def _stem(word: str) -> str:
    return re.sub(r"(?:e|s|es|ed|ing)$", "", word.lower())


def _documented(node: ast.AST, name: str) -> Iterator[tuple[str, ast.AST]]:
    yield name, node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _documented(child, f"{name}.{child.name}")
