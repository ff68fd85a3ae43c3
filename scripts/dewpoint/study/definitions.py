"""A module as its definitions, each with the names that it mentions: by its syntax tree, nothing is executed."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property

from dewpoint.errors import UserError

STATEMENTS = "<module>"  # all that is no definition: it runs whenever the module is imported
OURS = "dewpoint"  # the package
GUARDED = "<main>"  # what runs only where the module is the program

Mention = tuple[str, ...]  # a name of the module, and the attributes that are read of it
Origin = tuple[str, str]  # what an import binds a name to: a module and a name in it, or nothing for the module itself

FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Definition:
    """What a name of a module stands for: the statements that define it."""

    def __init__(self, statements: list[ast.stmt], imports: "Imports"):
        self.statements, self.imports = statements, imports

    @cached_property
    def text(self) -> str:
        """The syntax tree without comments, docstrings and layout."""
        for statement in self.statements:
            for node in ast.walk(statement):
                if isinstance(node, FUNCTIONS | ast.ClassDef):
                    node.body = [part for part in node.body if not _is_text(part)] or [ast.Pass()]
        return "\n".join(map(ast.dump, self.statements))

    @cached_property
    def mentions(self) -> set[Mention]:
        """Names that are no local variable of a function, each with the attributes read of it."""
        found: set[Mention] = set()
        for statement in self.statements:
            _mentions(statement, frozenset(), self.imports.names.keys(), found)
        return found


class Imports:
    """What the imports among some statements bind, and the modules that they run."""

    def __init__(self, module: str, package: str, statements: Iterable[ast.stmt]):
        self.names: dict[str, set[Origin]] = defaultdict(set)
        self.modules: set[str] = set()
        for node in (node for statement in statements for node in ast.walk(statement)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.modules.add(alias.name)
                    bound = alias.name if alias.asname else alias.name.split(".")[0]
                    self.names[alias.asname or bound].add((bound, ""))
            elif isinstance(node, ast.ImportFrom):
                parts = package.split(".")[: 1 - node.level or None] if node.level else []
                origin = ".".join([*parts, *filter(None, [node.module])])
                for alias in node.names:
                    if alias.name == "*":
                        raise UserError(f"{module}: 'from {origin} import *' hides what is used; name it")
                    self.modules |= {origin, f"{origin}.{alias.name}"}
                    self.names[alias.asname or alias.name].add((origin, alias.name))


class Module:
    """The definitions of a module by name, and what it imports."""

    def __init__(self, name: str, tree: ast.Module, is_package: bool = False):
        self.name, self.is_package = name, is_package
        package = name if is_package else name.rpartition(".")[0]
        parts: dict[str, list[ast.stmt]] = {STATEMENTS: [], GUARDED: []}
        imports = []
        for names, statement in _parts(tree.body):
            for part in names:
                parts.setdefault(part, []).append(statement)
            if isinstance(statement, ast.Import | ast.ImportFrom):
                imports.append(statement)
        self.imports = Imports(name, package, imports + parts[STATEMENTS])
        ours = {node.name for node in tree.body if isinstance(node, FUNCTIONS)}
        ours |= {local for local, of in self.imports.names.items() if any(origin.startswith(OURS) for origin, _ in of)}
        # what a decorator of ours may have entered somewhere, so that others find it without its name
        self.entered = [node.name for node in tree.body if _decorators(node) & ours]
        self.bound = _bound(parts[STATEMENTS])
        self.definitions = {
            part: Definition(statements, Imports(name, package, statements)) for part, statements in parts.items()
        }

    def classes(self, name: str) -> list[ast.ClassDef]:
        return [statement for statement in self.definitions[name].statements if isinstance(statement, ast.ClassDef)]


def _decorators(node: ast.stmt) -> set[str]:
    """The first names of what decorates a definition."""
    calls = [one.func if isinstance(one, ast.Call) else one for one in getattr(node, "decorator_list", [])]
    return {names[0] for names in map(chain, calls) if names}


def chain(node: ast.expr) -> Mention:
    """`a.b.c` as its names; nothing for an expression of another kind."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


def _parts(body: list[ast.stmt]) -> Iterator[tuple[list[str], ast.stmt]]:
    """A module's statements, each with the definitions that it belongs to."""
    for node in body:
        if isinstance(node, FUNCTIONS | ast.ClassDef):
            yield [node.name], node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield [], node
        elif isinstance(node, ast.If) and chain(node.test)[-1:] == ("TYPE_CHECKING",):
            yield from _parts(node.orelse)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            yield from (([GUARDED], statement) for statement in node.body)
            yield from _parts(node.orelse)
        elif names := _assigned(node):
            yield names, node
        elif not _is_text(node):
            yield [STATEMENTS], node


def _assigned(node: ast.stmt) -> list[str]:
    """The names that a statement defines and that is all it does, such as A and B of `A, B = 1, 2`."""
    todo = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    todo, names = list(todo), []
    while todo:
        target = todo.pop()
        if isinstance(target, ast.Tuple | ast.List):
            todo += target.elts
        elif isinstance(target, ast.Starred):
            todo.append(target.value)
        elif isinstance(target, ast.Name):
            names.append(target.id)
        else:
            return []
    return names


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_written(node: ast.AST) -> bool:
    """Whether it is a name that is assigned to or deleted."""
    return isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)


def _mentions(node: ast.AST, local: frozenset[str], imported: Iterable[str], found: set[Mention]) -> None:
    """Add what a node mentions to `found`. Annotations count in class bodies alone, where they make fields."""
    if isinstance(node, ast.Name | ast.Attribute):
        if names := chain(node):
            if names[0] not in local and not _is_written(node):
                found.add(names)
            return
        inner: list[tuple[ast.AST | None, frozenset[str]]] = [(node.value, local)]
    elif isinstance(node, FUNCTIONS | ast.Lambda):
        outside = [*getattr(node, "decorator_list", []), *node.args.defaults, *node.args.kw_defaults]
        body = node.body if isinstance(node.body, list) else [node.body]
        within = (local | _bound(body) | _parameters(node.args)) - _global(body) - set(imported)
        inner = [(part, local) for part in outside] + [(part, within) for part in body]
    elif isinstance(node, COMPREHENSIONS):
        within = local | {name for part in node.generators for name in _bound([part.target])}
        first = node.generators[0].iter  # alone is looked up outside
        inner = [(first, local)] + [(part, within) for part in ast.iter_child_nodes(node)]
    elif isinstance(node, ast.comprehension):
        inner = [(part, local) for part in (node.iter, *node.ifs)]
    elif isinstance(node, ast.ClassDef):
        fields = [part.annotation for part in node.body if isinstance(part, ast.AnnAssign)]
        inner = [(part, local) for part in (*ast.iter_child_nodes(node), *fields)]
    elif isinstance(node, ast.AnnAssign):
        inner = [(node.target, local), (node.value, local)]
    elif isinstance(node, ast.AugAssign):
        if isinstance(node.target, ast.Name) and node.target.id not in local:  # is read, too
            found.add((node.target.id,))
        inner = [(node.target, local), (node.value, local)]
    else:
        inner = [(part, local) for part in ast.iter_child_nodes(node)]
    for part, names in inner:
        if part is not None:
            _mentions(part, names, imported, found)


def _within(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of a function's own scope, nested functions' and classes' left out but for their names."""
    todo = list(body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, FUNCTIONS | ast.ClassDef | ast.Lambda | COMPREHENSIONS):
            todo += ast.iter_child_nodes(node)


def _bound(body: Iterable[ast.AST]) -> frozenset[str]:
    """The names that are assigned to, imports left out."""
    names = set()
    for node in _within(body):
        if _is_written(node):
            names.add(node.id)
        elif isinstance(node, FUNCTIONS | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            names.add(node.name or "")
        elif isinstance(node, ast.MatchMapping):
            names.add(node.rest or "")
    return frozenset(names)


def _global(body: Iterable[ast.AST]) -> set[str]:
    return {name for node in _within(body) if isinstance(node, ast.Global) for name in node.names}


def _parameters(arguments: ast.arguments) -> set[str]:
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {node.arg for node in found if node}
