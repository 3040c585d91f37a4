"""What is installed: libraries that can be imported, their versions, and the GPUs that torch sees.

Only the standard library is imported here, since any other may be what is broken. Libraries are imported in a process of their own, which
may crash.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

import finser

MODULES = {"markdown-it-py": "markdown_it", "pyyaml": "yaml", "scikit-learn": "sklearn"}  # others: the name itself, with _ for -
CODE = Path(finser.__file__).resolve().parent
CHECKOUT = CODE.parents[1]  # if finser runs from a copy of its repository
PATIENCE = 600  # seconds for all imports: a network disk may be slow
ABSENT = "not installed"
PROBE = """
import importlib, json, sys
for name in sys.argv[1:]:
    print(json.dumps(["begin", name, ""]), flush=True)
    said = ""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        said = "not installed" if error.name in (name, name.split(".")[0]) else str(error)
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    print(json.dumps(["end", name, said]), flush=True)
    if name == "torch" and not said:
        cuda = sys.modules[name].cuda
        for card in range(cuda.device_count() if cuda.is_available() else 0):
            facts = cuda.get_device_properties(card)
            print(json.dumps(["gpu", facts.name, facts.total_memory]), flush=True)
"""


@dataclass
class Probed:
    """What the imports showed.

    Attributes
    ----------
    faults : dict of str to str
        Module -> why it cannot be imported; :data:`ABSENT` if it is not there.
    gpus : list of tuple
        Name and bytes of memory of each GPU that torch sees.
    """

    faults: dict[str, str] = field(default_factory=dict)
    gpus: list[tuple[str, int]] = field(default_factory=list)


def declared() -> tuple[list[str], dict[str, list[str]]]:
    """Return the distributions that finser needs, and those of each optional extra but `test`.

    They come from pyproject.toml of the copy that runs, or else from the installed package.

    Raises
    ------
    PackageNotFoundError
        There is neither.
    """
    path = CHECKOUT / "pyproject.toml"
    if path.is_file():
        import tomllib  # Python 3.10, which `finser doctor` reports, lacks it

        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        needs, extras = project["dependencies"], project.get("optional-dependencies", {})
    else:
        lines = requires("finser") or []
        extras = {
            name: [line for line in lines if re.search(rf"extra == ['\"]{name}['\"]", line)]
            for name in metadata("finser").get_all("Provides-Extra") or []
        }
        needs = [line for line in lines if "extra ==" not in line]
    return _names(needs), {name: _names(lines) for name, lines in extras.items() if name != "test"}


def _names(lines: Sequence[str]) -> list[str]:
    return [re.match(r"[\w.-]+", line)[0] for line in lines]


def module_of(distribution: str) -> str:
    """Return the module of a distribution."""
    return MODULES.get(distribution.lower(), distribution.replace("-", "_"))


def probe(modules: Sequence[str]) -> Probed:
    """Import modules in a process of its own; if it crashes, go on in another behind the module that crashed."""
    found, waiting = Probed(), list(modules)
    while waiting:
        events, status = _events(waiting)
        _note(events, found)
        ended = [name for kind, name, _ in events if kind == "end"]
        waiting = waiting[len(ended) :]
        if waiting:  # the process ended in the import of the next one
            found.faults[waiting.pop(0)] = status
        elif status and "torch" in ended:
            found.faults.setdefault("torch", f"{status}, while it looks for a GPU")
    return found


def _events(modules: Sequence[str]) -> tuple[list[list], str]:
    """Run the probe; return what it printed, and how it ended if not well."""
    quiet = {"PYTHONDONTWRITEBYTECODE": "1", "MPLCONFIGDIR": str(Path.home())}  # matplotlib makes a folder unless it is told one
    environment = {**os.environ, **quiet}
    command = [sys.executable, "-P", "-c", PROBE, *modules]
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
        text, status = done.stdout, f"the import ends with status {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired as error:
        text, status = error.stdout or b"", f"the import takes more than {PATIENCE} s"
    return list(_parsed(text.decode(errors="replace"))), status


def _parsed(text: str) -> Iterator[list]:
    """Yield the events among the lines; libraries may print others."""
    for line in text.splitlines():
        if line.startswith(('["begin"', '["end"', '["gpu"')):
            yield json.loads(line)


def _note(events: Sequence[list], found: Probed) -> None:
    for kind, name, said in events:
        if kind == "gpu":
            found.gpus.append((name, said))
        elif kind == "end" and said:
            found.faults[name] = " ".join(str(said).split())


def pins(root: Path) -> dict[str, str]:
    """Return the versions of constraints.txt in `root`, or else in the copy that runs; empty without the file."""
    path = next((folder / "constraints.txt" for folder in (root, CHECKOUT) if (folder / "constraints.txt").is_file()), None)
    lines = path.read_text(encoding="utf-8").splitlines() if path else []
    return dict(line.split("==") for line in lines if re.fullmatch(r"[\w.-]+==\S+", line))


def others(pinned: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the installed and the pinned version of each distribution that is installed in another version."""
    found = {name: _version(name) for name in pinned}
    return {name: (found[name], pin) for name, pin in pinned.items() if found[name] not in (None, pin)}


def _version(name: str) -> str | None:
    """Return the installed version without its local label; None if there is none."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None
