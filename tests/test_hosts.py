"""Places and living processes, against the system's own answers."""

import os
import re
import socket
import subprocess
import sys

import psutil

from finser.hosts import alive, born, here


def test_a_place_names_the_host():
    assert re.fullmatch(r"[\w.]+", here())
    assert here().split(".")[0] == re.sub(r"\W", "_", socket.gethostname())


def test_processes_of_one_place_agree_and_another_namespace_is_another_place(own_processes):
    command = [sys.executable, "-c", "from finser.hosts import here; print(here())"]
    assert subprocess.check_output(command, text=True).strip() == here()
    elsewhere = subprocess.check_output([*own_processes, *command], text=True).strip()
    assert elsewhere != here() and elsewhere.split(".")[:2] == here().split(".")[:2]


def test_alive():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert alive(process.pid) and alive(os.getpid()) and alive(1)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
        assert not alive(process.pid)
    assert not alive(process.pid) and not alive(2**40)


def test_when_a_process_began():
    with subprocess.Popen(["sleep", "60"]) as process:
        ticks = os.sysconf("SC_CLK_TCK")
        assert abs(psutil.Process(process.pid).create_time() - psutil.boot_time() - born(process.pid) / ticks) < 1
        process.kill()
    assert born(process.pid) is None
