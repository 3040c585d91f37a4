"""Imports of modules, and digests of their code that ignore comments and docstrings."""

import ast
import hashlib
import sys
import tokenize
from functools import cache
from io import StringIO
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# modules and packages that change no result of a stage, only how it runs; values of params.yaml are recorded with each result
PURE = ("cards", "cli", "config", "errors", "files", "layout", "machine", "progress", "project", "workers")


@cache
def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Return the modules of finser by dotted name below the package; a package has its own name, the root package ``""``."""
    names = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return names


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules of finser that a file imports, anywhere in it, as names of `known`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "finser":
            base = node.module.removeprefix("finser").removeprefix(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".removeprefix(".")
                found.add(full if full in known else base)
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("finser.") for alias in node.names if alias.name.startswith("finser.")}
    return found & known.keys()


def closure(*names: str, leave_out: tuple[str, ...] = PURE, package: Path = PACKAGE) -> list[str]:
    """Return some modules and their direct and indirect imports, sorted; modules below `leave_out` are skipped."""
    known, seen, waiting = modules(package), set(), list(names)
    while waiting:
        name = waiting.pop()
        if name and name not in seen and not any(name == one or name.startswith(f"{one}.") for one in leave_out):
            seen.add(name)
            waiting += imports(known[name], known)
    return sorted(seen)


def packages(names: list[str], package: Path = PACKAGE) -> set[str]:
    """Return the top-level packages that some modules import anywhere, without finser and the standard library."""
    known, found = modules(package), set()
    for name in names:
        for node in ast.walk(ast.parse(known[name].read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
    return found - {"finser"} - sys.stdlib_module_names


def digest(names: list[str], package: Path = PACKAGE) -> str:
    """Return the SHA-256 of the code of some modules, without comments, docstrings and empty lines."""
    known = modules(package)
    text = "\n".join(f"{name}\n{bare(known[name].read_text(encoding='utf-8'))}" for name in names)
    return hashlib.sha256(text.encode()).hexdigest()


def bare(source: str) -> str:
    """Return a module's source without comments, docstrings, empty lines and trailing spaces."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            lines[line - 1] = lines[line - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node) is not None:
            text = node.body[0]
            lines[text.lineno - 1 : text.end_lineno] = [""] * (text.end_lineno - text.lineno + 1)
            if len(node.body) == 1 and not isinstance(node, ast.Module):
                lines[text.lineno - 1] = " " * text.col_offset + "pass"
    return "\n".join(line.rstrip() for line in lines if line.strip())
