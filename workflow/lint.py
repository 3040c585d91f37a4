"""`snakemake --lint` without its wish for a conda environment or container in every rule: one environment serves all of them."""

import subprocess
import sys
from pathlib import Path

UNWANTED = "Specify a conda environment or container for each rule."
HEAD, MARK = "Lints for ", "    * "


def remarks(text: str) -> list[str]:
    """Snakemake's remarks but for the unwanted one, each with the rule or file that it is about."""
    where, found = "", []
    for line in text.splitlines():
        if line.startswith(HEAD):
            where = line.removeprefix(HEAD)
        elif line.startswith(MARK) and UNWANTED not in line:
            found.append(f"{where} {line.removeprefix(MARK)}")
    return found


def main() -> int:
    """Print the remarks; the status is 0 if there is none."""
    done = subprocess.run([str(Path(sys.executable).parent / "snakemake"), "--lint"], capture_output=True, text=True)
    said = done.stdout + done.stderr
    found = remarks(said) if HEAD in said or done.returncode == 0 else [said]
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
