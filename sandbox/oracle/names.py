"""What the names in tests mean: a library, the program under any module name, or what depends on it."""

import ast
import contextlib
import importlib
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

RAISES = frozenset(("raises", "warns", "deprecated_call"))
"""Functions of pytest and unittest that judge without an assert."""
_ALIASES = {"np": "numpy", "pd": "pandas"}
_LIBRARIES = frozenset(
    "numpy pandas scipy sympy sklearn torch pytest hypothesis networkx requests urllib3 httpx aiohttp flask"
    " django fastapi starlette pydantic attr attrs yaml toml tomli tomlkit dateutil pytz tzlocal freezegun"
    " time_machine mock parameterized nose nose2 pytest_mock pytest_asyncio responses faker factory"
    " approvaltests deepdiff testfixtures assertpy expects sure hamcrest behave bs4 lxml html5lib click typer"
    " rich tqdm tabulate colorama termcolor jinja2 markdown matplotlib seaborn plotly bokeh PIL cv2 skimage"
    " imageio tensorflow keras jax flax xgboost lightgbm catboost statsmodels nltk spacy gensim transformers"
    " datasets tokenizers sentencepiece accelerate peft vllm openai anthropic gym gymnasium pygame shapely"
    " geopandas numba cython dask ray joblib polars pyarrow h5py tables xarray openpyxl xlrd xlsxwriter docx"
    " reportlab pypdf cryptography Crypto nacl OpenSSL jwt bcrypt passlib paramiko boto3 botocore psycopg2"
    " pymysql pymongo redis sqlalchemy celery kafka zmq grpc google psutil six more_itertools toolz cytoolz"
    " sortedcontainers bitarray gmpy2 mpmath regex chardet ujson orjson msgpack simplejson jsonschema"
    " marshmallow cachetools loguru structlog dotenv setuptools pkg_resources typing_extensions docutils"
    " pygments igraph pulp ortools cvxpy pyomo rdkit Bio astropy tensorly einops timm torchvision"
    " torchaudio markscheme".split()
)
"""Third-party modules that tests may import: if one is not installed, the import fails, as it should. A name
that belongs neither here nor to Python means the program."""


def used_libraries(trees: Sequence[ast.AST], names: Mapping[str, Any]) -> dict[str, ModuleType]:
    """Return the libraries whose attributes the tests use, by the names that the tests have for them.

    Tests may use a library that only the program imports. They get the real one, since the program must not
    decide what its results are compared with. `names` are the program's own names: one that is also the name
    of a library counts as the library only if the library has the attribute.
    """
    used = {}
    for node in _nodes(trees):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = node.value.id
            library = _ALIASES.get(name, name)
            if _is_library(library):
                with contextlib.suppress(ImportError):
                    module = importlib.import_module(library)
                    if hasattr(module, node.attr) or name not in names:
                        used[name] = module
    return used


def imports_of(trees: Sequence[ast.AST], dependent: Set[str]) -> tuple[set[str], set[str]]:
    """Return the modules that tests import as the program, and the names that they import from libraries.

    A module that belongs neither to Python nor to a known library can only be the program. Of the names in
    `from math import *`, those count with which the tests judge a value that depends on the program, as in
    `isclose(f(2), 4)`: others may be what is tested.
    """
    program_modules: set[str] = set()
    library_names: set[str] = set()
    for node in _nodes(trees):
        if isinstance(node, ast.ImportFrom) and not node.level:
            bound = [(node.module or "", alias.asname or alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            bound = [(alias.name, alias.asname or alias.name.partition(".")[0]) for alias in node.names]
        else:
            continue
        for module, name in bound:
            if _is_library(module.partition(".")[0]):
                library_names |= (
                    _public_names(module) & judging_names(trees, dependent) if name == "*" else {name}
                )
            else:
                program_modules.add(module)
    return program_modules, library_names


def judging_names(trees: Sequence[ast.AST], dependent: Set[str]) -> set[str]:
    """Return the functions that tests call with an argument that depends on the program."""
    return {
        node.func.id
        for node in _nodes(trees)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if any(
            isinstance(inner, ast.Name) and inner.id in dependent - {node.func.id}
            for argument in node.args
            for inner in ast.walk(argument)
        )
    }


def _public_names(module: str) -> set[str]:
    """Return the names that `from module import *` binds; none if it cannot be imported."""
    try:
        names = vars(importlib.import_module(module))
    except Exception:
        return set()
    return set(names.get("__all__") or [name for name in names if name[0] != "_"])


def _nodes(trees: Sequence[ast.AST]) -> Iterator[ast.AST]:
    for tree in trees:
        yield from ast.walk(tree)


def _is_library(name: str) -> bool:
    return name in sys.stdlib_module_names or name in _LIBRARIES


class ProgramFinder(MetaPathFinder, Loader):
    """An import hook that finds the program under each of the given dotted names and their parents."""

    def __init__(self, solution: ModuleType, modules: Set[str]):
        self._solution = solution
        parts = [module.split(".") for module in modules]
        self._names = {".".join(name[: i + 1]) for name in parts for i in range(len(name))}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Return the program's spec for one of the names."""
        return ModuleSpec(fullname, self, is_package=True) if fullname in self._names else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the program."""
        return self._solution

    def exec_module(self, module: ModuleType) -> None:
        """Execute nothing: the program is defined already."""
        module.__path__ = []  # so that no submodule is looked for on disk, where the program may have put one


def dependent_names(trees: Sequence[ast.Module], program: Collection[str]) -> set[str]:
    """Return the names whose values depend on the program.

    These are its own names, variables and attributes (`self.s`) that are assigned from them, targets of loops
    over them, and parameters of the tests' functions that get them.
    """
    names = set(program)
    nodes = [node for tree in trees for node in ast.walk(tree)]
    flows = [*_assignments(nodes), *_arguments(nodes)]
    for _ in range(6):  # a variable may be assigned from one that is assigned later in the text
        before = len(names)
        for targets, value in flows:
            if loaded_names(value) & names:
                names |= targets
        if len(names) == before:
            break
    return names


def _assignments(nodes: Sequence[ast.AST]) -> Iterator[tuple[set[str], ast.AST]]:
    """Yield the names that statements and loops bind, and what to."""
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _pairs(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr | ast.AugAssign) and node.value is not None:
            yield _bound(node.target), node.value
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            yield from _pairs(node.target, node.iter, loops=True)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            yield _bound(node.optional_vars), node.context_expr
        elif isinstance(node, ast.Match):
            captured = (
                inner.name for inner in ast.walk(node) if isinstance(inner, ast.MatchAs | ast.MatchStar)
            )
            yield {name for name in captured if name}, node.subject
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            for argument in node.args if node.func.attr in _FILLING else ():
                yield _bound(node.func.value), argument


_FILLING = frozenset("append add insert extend update setdefault appendleft put".split())
"""Methods after which a container holds what they were given."""


def _pairs(target: ast.expr, value: ast.expr, loops: bool = False) -> Iterator[tuple[set[str], ast.AST]]:
    """Yield what each part of a target is bound to, as far as the text says so."""
    parts: Sequence[ast.expr] = ()
    if isinstance(value, ast.Tuple) and not loops:
        parts = value.elts
    elif (
        loops and isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "zip"
    ):
        parts = value.args
    if isinstance(target, ast.Tuple) and len(target.elts) == len(parts):
        for one, part in zip(target.elts, parts, strict=True):
            yield _bound(one), part
    else:
        yield _bound(target), value


def _arguments(nodes: Sequence[ast.AST]) -> Iterator[tuple[set[str], ast.AST]]:
    """Yield the parameters of the tests' functions, and what calls pass for them; `parametrize` included."""
    functions: dict[str, list[str]] = {}
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parameters = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args) if arg.arg != "self"]
            functions[node.name] = parameters
            returned = [
                inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return) and inner.value
            ]
            is_fixture = any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
            for value in returned if is_fixture else ():
                yield {node.name}, value
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and "parametrize" in ast.unparse(decorator.func):
                    yield from _parametrised(decorator)
    for node in nodes:
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            for parameter, argument in zip(functions.get(name, ()), node.args, strict=False):
                yield {parameter}, argument


def _parametrised(decorator: ast.Call) -> Iterator[tuple[set[str], ast.AST]]:
    """Yield the parameters of a `pytest.mark.parametrize`, and their values."""
    if len(decorator.args) >= 2 and isinstance(decorator.args[0], ast.Constant):
        names = str(decorator.args[0].value).replace(" ", "").split(",")
        rows = decorator.args[1].elts if isinstance(decorator.args[1], ast.List | ast.Tuple) else []
        for row in rows:
            values = row.elts if isinstance(row, ast.Tuple | ast.List) and len(names) > 1 else [row]
            for name, value in zip(names, values, strict=False):
                yield {name}, value


def _bound(target: ast.AST) -> set[str]:
    """Return the names that a target binds; for an attribute `self.s`, that text."""
    if isinstance(target, ast.Attribute):
        return {ast.unparse(target)}
    if isinstance(target, ast.Tuple | ast.List):
        return {name for part in target.elts for name in _bound(part)}
    return {inner.id for inner in ast.walk(target) if isinstance(inner, ast.Name)}


def loaded_names(node: ast.AST) -> set[str]:
    """Return the names that code reads, and its attributes of names as text."""
    names: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
            names.add(inner.id)
        elif isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            names.add(ast.unparse(inner))
    return names


def names_bound_in(trees: Sequence[ast.Module]) -> set[str]:
    """Return the names that tests define, import or assign."""
    names: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.alias):
                names.add(node.asname or node.name.partition(".")[0])
            elif isinstance(node, ast.arg):
                names.add(node.arg)
            elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                names.add(node.id)
    return names


def comparing_functions(tree: ast.Module) -> set[str]:
    """Return the names of the functions and methods that compare something, or call one that does."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    calls = {function.name: _called(function) for function in functions}
    comparing = {function.name for function in functions if _compares(function)}
    while more := {name for name, called in calls.items() if called & comparing} - comparing:
        comparing |= more
    return comparing


def compares(tree: ast.AST, functions: Collection[str]) -> bool:
    """Return whether code compares something, given the functions that do."""
    return _compares(tree) or bool(_called(tree) & set(functions))


def _compares(tree: ast.AST) -> bool:
    # `assert False` and `fail()` compare nothing: they say that something else should have happened.
    return any(
        (isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant))
        or (isinstance(node, ast.Attribute) and (node.attr.startswith("assert") or node.attr in RAISES))
        for node in ast.walk(tree)
    )


def _called(tree: ast.AST) -> set[str]:
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {func.id for func in calls if isinstance(func, ast.Name)} | {
        func.attr for func in calls if isinstance(func, ast.Attribute)
    }
