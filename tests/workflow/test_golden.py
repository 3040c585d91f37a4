"""The bytes of `tiny`'s data are those of every other machine: tests/golden/tiny.json has them.

`FINSER_GOLDEN=write python -m pytest tests/workflow/test_golden.py` writes the list anew, after a change that is meant to change bytes or
after other versions in constraints.txt.
"""

import json
import os
import platform
from pathlib import Path

import pytest

from finser.files import checksum, write_json

LIST = Path(__file__).parents[1] / "golden" / "tiny.json"
FOLDERS = ("raw", "clips", "audio", "shards", "labels", "splits")
MARKS = (".gitignore", ".snakemake_timestamp")  # of the engines


def data_of(root: Path) -> dict[str, str]:
    """Path below data/ -> SHA-256, of all files that the data stages and `split` made."""
    files = [path for folder in FOLDERS for path in sorted((root / "data" / folder).rglob("*")) if path.is_file()]
    return {path.relative_to(root / "data").as_posix(): checksum(path) for path in files if path.name not in MARKS}


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the list is that of x86-64")
def test_data_have_the_bytes_of_every_machine(built):
    found = data_of(built.root)
    assert {path.split("/")[0] for path in found} == set(FOLDERS)
    if os.environ.get("FINSER_GOLDEN") == "write":
        write_json(LIST, found)
    expected = json.loads(LIST.read_text())
    wrong = [path for path in sorted(expected.keys() | found.keys()) if expected.get(path) != found.get(path)]
    assert not wrong, f"{len(wrong)} files differ from {LIST.name}, first {wrong[0]}: docs/reproducibility.md says what that means"
