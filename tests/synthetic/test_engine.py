import sys
import tempfile

import numpy as np
import pytest

from finser.errors import FinserError
from finser.synthetic import engine as module
from finser.synthetic.engine import needs_child, open_engine

VOICE = "language variant\nname u\npitch 100 140\nroughness 3\n"


def _say(speaker, text="The lamp is on.", variant=VOICE, **how):
    return speaker.say(text, how.pop("language", "en"), variant, **({"rate": 170, "gap": 0, "seed": 1} | how))


def test_what_was_said_before_makes_no_difference():
    with open_engine(in_child=False) as one:
        first = _say(one)
        _say(one, "Something else, much longer, in between!", seed=7)
        assert np.array_equal(_say(one), first)
    with open_engine(in_child=needs_child()) as two:
        assert np.array_equal(_say(two), first)
    with open_engine(in_child=True) as child:
        assert np.array_equal(_say(child), first)


def test_the_settings_do_what_they_say():
    with open_engine(in_child=False) as one:
        plain = _say(one)
        assert plain.dtype == np.int16 and plain.ndim == 1
        assert len(_say(one, rate=100)) > 1.3 * len(plain) > 1.3 * len(_say(one, rate=250))
        assert len(_say(one, gap=20)) > len(plain) + 0.3 * 22050
        assert not np.array_equal(_say(one, variant=VOICE.replace("100 140", "200 280")), plain)
        assert len(_say(one, "我们沿着河边走路。", language="zh")) > 22050


def test_an_engine_leaves_no_folder_and_its_path_is_short():
    with open_engine(in_child=False) as one:
        assert len(str(one.data)) < 160 and (one.data / "phondata").is_file()
    assert not one.data.exists()


def test_a_long_temporary_path_is_an_error(monkeypatch, tmp_path):
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(FinserError, match="path too long for espeak-ng.*at most 159.*TMPDIR"), open_engine(in_child=False):
        pass
    assert not list(deep.iterdir())


def test_without_the_package_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(FinserError, match="no speech synthesizer.*finser preset local PATH"):
        needs_child()


@pytest.mark.parametrize("in_child", [False, True])
def test_a_broken_library_is_an_error(monkeypatch, tmp_path, in_child):
    broken = tmp_path / "libespeak-ng.so"
    broken.write_bytes(b"not a library")
    _, data = module.find_library()
    monkeypatch.setattr(module, "find_library", lambda: (broken, data))
    with pytest.raises(FinserError, match="espeak-ng does not speak.*finser preset local PATH"), open_engine(in_child=in_child) as one:
        _say(one)


def test_nothing_said_is_an_error():
    with open_engine(in_child=False) as one, pytest.raises(FinserError, match="said nothing"):
        _say(one, " ")
