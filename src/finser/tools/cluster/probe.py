"""A small job on a node, to see what only the node can tell: whether it sees the project, and whether it reaches the internet."""

import json
import os
import subprocess
import sys
from pathlib import Path

from finser.errors import FinserError
from finser.project.partitions import Partition
from finser.tools.cluster.asking import attempt

WAIT = 45  # seconds for a free node
HOST = "zenodo.org"  # RAVDESS comes from there
CODE = f"""
import json, os, socket, sys
try:
    socket.create_connection(("{HOST}", 443), timeout=5).close()
    reached = True
except OSError:
    reached = False
print(json.dumps({{"host": socket.gethostname(), "project": os.path.exists(sys.argv[1]), "internet": reached}}))
"""


def slurm(partition: Partition, account: str) -> list[str]:
    """Run the job by Slurm's srun, and return what it found, in sentences.

    Raises
    ------
    FinserError
        The node does not see the project's folder, or its Python.
    """
    wanted = ["--ntasks=1", "--time=2", f"--partition={partition.name}", f"--immediate={WAIT}", "--chdir=/"]
    wanted += [f"--account={account}"] if account else []
    answer = attempt("srun", *wanted, sys.executable, "-c", CODE, str(Path("dvc.yaml").absolute()))
    if answer.returncode == 0:
        return _sentences(json.loads(answer.stdout.splitlines()[-1]))  # the last line: a prolog may print others
    said = " ".join(answer.stderr.split())
    if "No such file" in said or "execve" in said:
        raise FinserError("no node sees this Python", where=sys.executable, do="make the environment on a file system that all nodes share")
    return [f"no node answered ({said}): whether nodes see this folder and the internet is not known; try again without --no-probe"]


def _sentences(found: dict) -> list[str]:
    where = Path.cwd()
    kind = subprocess.run(["stat", "--file-system", "--format=%T", where], capture_output=True, text=True).stdout.strip() or "unknown"
    if not found["project"]:
        raise FinserError(f"node {found['host']} does not see this folder (file system {kind})", where=where,
                          do="move the project to a file system that all nodes share")  # fmt: skip
    own = " (this machine)" if found["host"] == os.uname().nodename else ""
    seen = f"node {found['host']}{own} sees this folder (file system {kind})"
    if found["internet"]:
        return [f"{seen} and reaches {HOST}"]
    return [f"{seen}, and does not reach {HOST}, which no job needs: fetch and fetch_weights run on this machine"]
