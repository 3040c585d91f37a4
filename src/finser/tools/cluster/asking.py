"""Questions to the commands of a scheduler."""

import subprocess

from finser.errors import FinserError

PATIENCE = 120  # seconds for an answer


def ask(*command: str) -> str:
    """Return what a command prints.

    Raises
    ------
    FinserError
        There is no such command, it does not answer in a minute, or it ends with an error.
    """
    answer = attempt(*command)
    if answer.returncode:
        raise FinserError(f"{' '.join(command)}: {_last_line(answer.stderr) or f'status {answer.returncode}'}", do="is this a login node?")
    return answer.stdout


def attempt(*command: str) -> subprocess.CompletedProcess:
    """Run a command, whatever its status."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise FinserError(f"no command {command[0]} here", do="run on a login node of the cluster") from None
    except subprocess.TimeoutExpired:
        raise FinserError(f"no answer in {PATIENCE} s: {' '.join(command)}", do="is the scheduler running?") from None


def refusal(*command: str) -> str:
    """Return why a command refuses, in its own words; "" if it does not."""
    answer = attempt(*command)
    return (_last_line(answer.stderr) or f"status {answer.returncode}") if answer.returncode else ""


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
