"""The modules of a folder, each read once, and what a name in them stands for."""

import ast
from collections import defaultdict
from functools import cached_property
from pathlib import Path

from dewpoint.study.definitions import STATEMENTS, Definition, Mention, Module, chain

Target = tuple[str, str]  # (module, definition); (module, "") is the whole module, ("", dotted name) is not of here

DECLARATIONS = {("", "pydantic.BaseModel"), ("", "pydantic.RootModel")}


class Modules:
    """The modules below a folder by dotted name; `read` may be changed to see them otherwise than they lie there."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.read: dict[str, Module | None] = {}
        self.linked: dict[Definition, dict[Mention, list[Target]]] = {}
        self.recorded: dict[Definition, bytes] = {}

    def get(self, name: str) -> Module | None:
        """None for a module that is not of here."""
        if name not in self.read:
            path = self.folder.joinpath(*name.split("."))
            files = [file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()]
            text = files[0].read_text(encoding="utf-8") if files else "" if path.is_dir() else None
            is_package = path.is_dir() and path.with_suffix(".py") not in files[:1]
            self.read[name] = None if text is None else Module(name, ast.parse(text), is_package)
        return self.read[name]

    def submodules(self, name: str) -> set[str]:
        paths = self.folder.joinpath(*name.split(".")).iterdir() if self.read[name].is_package else ()
        found = {f"{name}.{path.stem}" for path in paths if path.suffix == ".py" or (path / "__init__.py").is_file()}
        return found - {f"{name}.__init__"}

    @cached_property
    def templates(self) -> dict[str, list[Path]]:
        """Module → the texts that lie beside it, page.html.j2 beside page.py, references.bib beside references.py."""
        found = defaultdict(list)
        for path in sorted([*self.folder.rglob("*.j2"), *self.folder.rglob("*.bib")]):
            module = path.with_name(path.name.split(".")[0]).relative_to(self.folder)
            found[".".join(module.parts)].append(path)
        return found

    def links(self, module: str, name: str) -> dict[Mention, list[Target]]:
        """All that a definition mentions, and what each stands for; Python's own names are left out."""
        definition = self.get(module).definitions[name]
        if definition not in self.linked:
            links = {}
            for mention in definition.mentions:
                origins = definition.imports.names.get(mention[0], ())
                found = [target for origin in origins for target in self._imported(*origin, mention[1:])]
                links[mention] = found + self.targets(module, mention)
            self.linked[definition] = {mention: found for mention, found in links.items() if found}
        return self.linked[definition]

    def record(self, module: str, name: str) -> bytes:
        """All of a definition that matters: where it is, its code, what the names in it stand for."""
        definition = self.get(module).definitions[name]
        if definition not in self.recorded:
            links = self.links(module, name)
            means = sorted(f"{'.'.join(mention)} {':'.join(target)}" for mention in links for target in links[mention])
            self.recorded[definition] = "\n".join((f"{module}:{name}", definition.text, *means, "")).encode()
        return self.recorded[definition]

    def targets(self, module: str, mention: Mention) -> list[Target]:
        """What a name at the top of a module, with attributes that are read of it, stands for."""
        read, (name, *attributes) = self.get(module), mention
        origins = read.imports.names.get(name, ())
        found = [target for origin in origins for target in self._imported(*origin, tuple(attributes))]
        if name in read.definitions:
            found.append((module, name))
        elif name in read.bound:
            found.append((module, STATEMENTS))
        return found

    def is_declaration(self, module: str, name: str) -> bool:
        """Whether it is a class of pydantic's."""
        for node in self.get(module).classes(name):
            bases = (chain(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases)
            for base in (target for names in bases if names for target in self.targets(module, names)):
                if base in DECLARATIONS or (base[0] and base[1] and self.is_declaration(*base)):
                    return True
        return False

    def _imported(self, module: str, name: str, attributes: Mention) -> list[Target]:
        names = (name, *attributes) if name else attributes
        if self.get(module) is None:
            return [("", ".".join((module, *names)))]
        if not names:
            return [(module, "")]
        if found := self.targets(module, names):
            return found
        if self.get(f"{module}.{names[0]}"):
            return self._imported(f"{module}.{names[0]}", "", names[1:])
        return [(module, "")]
