"""A cache folder for numba, which librosa uses."""

import atexit
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path


def give_numba_a_cache() -> None:
    """Give numba a temporary cache folder if no other is writable: otherwise it would refuse to compile."""
    if "NUMBA_CACHE_DIR" in os.environ or writable(Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "numba"):
        return
    found = [find_spec(name) for name in ("finser", "librosa")]  # None: not installed, which the command that needs it says
    if not all(writable(Path(one.origin).parent / "__pycache__") for one in found if one is not None):
        os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="finser-numba-")
        atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)


def writable(folder: Path) -> bool:
    """Return whether a folder can be written or made."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return folder.is_absolute() and os.access(existing, os.W_OK)
