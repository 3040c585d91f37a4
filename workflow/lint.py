"""`snakemake --lint` without its wish for a conda environment or container in every rule: one environment serves all of them."""

import json
import subprocess
import sys
from pathlib import Path

UNWANTED = "Specify a conda environment or container for each rule."


def lints() -> list[str]:
    """Snakemake's remarks, one line each, with the rule that they are about."""
    command = [str(Path(sys.executable).parent / "snakemake"), "--lint", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        found = json.loads(done.stdout)
    except json.JSONDecodeError:
        sys.exit(done.stderr or f"error: snakemake --lint ended with {done.returncode}")
    said = [
        (part.get("rule", part.get("snakefile", "")), lint["title"]) for parts in found.values() for part in parts for lint in part["lints"]
    ]
    return [f"{where}: {title}" for where, title in said if title.rstrip(":") != UNWANTED]


if __name__ == "__main__":
    remarks = lints()
    print("\n".join(remarks))
    sys.exit(bool(remarks))
