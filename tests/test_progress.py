"""Bytes and items, on a terminal and in a log."""

import sys

import pytest

from finser import progress


@pytest.mark.parametrize(
    ("total", "rate", "line"),
    [
        (605_899_936, 5_000_000, "downloading: 120.3 MB of 605.9 MB, 5.0 MB/s, 1:37 left"),
        (None, 5_000_000, "downloading: 120.3 MB, 5.0 MB/s"),
        (120_300_000, 5_000_000, "downloading: 120.3 MB of 120.3 MB, 5.0 MB/s"),
        (605_899_936, 0, "downloading: 120.3 MB of 605.9 MB, 0 bytes/s"),
    ],
)
def test_a_line_has_rate_and_time_left(total, rate, line):
    assert progress.rate_line("downloading", 120_300_000, total, rate) == line


def test_a_log_gets_plain_lines(monkeypatch, capsys):
    now = [0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.meter("downloading x", 4000, 1000) as came:
        for now[0], count in ((6, 500), (12, 500), (18, 500), (19, 500), (20, -500)):
            came(count)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "downloading x: 2.0 kB of 4.0 kB, 83 bytes/s, 0:24 left"  # 1,000 bytes in 12 seconds
    assert lines[1:] == ["downloading x: 2.5 kB of 4.0 kB, 75 bytes/s, 0:20 left"]
    assert not any("\r" in line or "\x1b" in line for line in lines)


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    with progress.meter("downloading x", 4000) as came:
        came(4000)
    printed = capsys.readouterr().err
    assert "downloading x" in printed
    assert "4.0/4.0 kB" in printed
