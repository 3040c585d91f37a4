"""Stored representations: what is written is read, in part or whole, and damage is one line."""

from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finser.audio.shards import Only
from finser.errors import FinserError
from finser.features import store
from finser.features.store import Stored


def rows(lengths: list[int], dim: int) -> list[Stored]:
    draw = np.random.default_rng(0)
    made = []
    for number, length in enumerate(lengths):
        for variant in ("original", "noise"):
            made.append(Stored(f"tess/{number}", variant, "tess/OAF", "angry", draw.random((length, dim), np.float32)))
    return made


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=130), st.integers(1, 5))
def test_rows_come_back_in_order(tmp_path_factory, lengths, dim):
    folder = tmp_path_factory.mktemp("store") / "tess"
    written = rows(lengths, dim)
    assert store.write(folder, written, dim) == len(written)
    for before, after in zip(written, store.read(folder), strict=True):
        assert (before.clip_id, before.variant, before.speaker, before.emotion) == (
            after.clip_id,
            after.variant,
            after.speaker,
            after.emotion,
        )
        assert np.array_equal(before.values, after.values) and after.values.dtype == np.float32


def test_only_some_clips_and_variants_are_read(tmp_path):
    store.write(tmp_path / "tess", rows([3, 4, 5], 2), 2)
    found = list(store.read(tmp_path / "tess", Only(["tess/0", "tess/2", "tess/9"], ["noise"])))
    assert [(row.clip_id, row.variant, len(row.values)) for row in found] == [("tess/0", "noise", 3), ("tess/2", "noise", 5)]


def test_the_same_rows_have_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        store.write(tmp_path / name, rows([3, 4], 2), 2)
    one, two = ((tmp_path / name / "part-00000.arrow").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize("values", [np.zeros((2, 3), np.float64), np.zeros((2, 4), np.float32), np.zeros(3, np.float32)])
def test_other_types_and_shapes_are_refused(tmp_path, values):
    with pytest.raises(TypeError, match="values must be float32"):
        store.write(tmp_path / "tess", [Stored("tess/0", "original", "s", "sad", values)], 3)
    assert not (tmp_path / "tess").exists()


def test_nothing_and_damage_are_one_line(tmp_path):
    with pytest.raises(FinserError, match="nothing to write"):
        store.write(tmp_path / "tess", [], 3)
    with pytest.raises(FinserError, match="part-00000.arrow: no such file"):
        list(store.read(tmp_path / "tess"))
    store.write(tmp_path / "tess", rows([30], 2), 2)
    part = tmp_path / "tess" / "part-00000.arrow"
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(FinserError, match="not a readable file"):
        list(store.read(tmp_path / "tess"))


@pytest.mark.parametrize("name", store.SCHEMA.names)
def test_a_missing_value_is_one_line(tmp_path, name):
    store.write(tmp_path / "tess", rows([3, 4], 2), 2)
    path = tmp_path / "tess" / store.FILE
    table = pa.ipc.open_file(path.read_bytes()).read_all()
    column = pa.array([None, *table[name].to_pylist()[1:]], table.schema.field(name).type)
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table.set_column(table.schema.get_field_index(name), table.schema.field(name), column))
    with pytest.raises(FinserError, match=r"part-00000.arrow: a row lacks a value; if a stage made it: dvc checkout"):
        list(store.read(tmp_path / "tess"))


def test_values_are_views_of_the_mapped_file(tmp_path):
    """5 MB are read without being allocated by Arrow, and remain valid when the file is replaced."""
    store.write(
        tmp_path / "tess", (Stored(f"tess/{n}", "original", "s", "sad", np.full((130, 100), n, np.float32)) for n in range(100)), 100
    )
    before = pa.total_allocated_bytes()
    found = list(store.read(tmp_path / "tess"))
    assert pa.total_allocated_bytes() - before < 5e4 and not found[0].values.flags.owndata
    store.write(tmp_path / "tess", rows([3], 2), 2)
    assert [float(row.values.mean()) for row in found] == list(range(100))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_byte_is_an_error_or_a_wrong_value_but_no_crash(tmp_path_factory, at, byte):
    folder = tmp_path_factory.mktemp("store") / "tess"
    store.write(folder, rows([30, 2, 5], 2), 2)
    content = bytearray((folder / store.FILE).read_bytes())
    content[at % len(content)] = byte
    (folder / store.FILE).write_bytes(content)
    with suppress(FinserError):
        list(store.read(folder))
