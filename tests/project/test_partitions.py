"""Partitions of a cluster: what they take, and their file."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake_executor_plugin_slurm.partitions import Partition as PartitionOfThePlugin
from snakemake_executor_plugin_slurm.partitions import PartitionLimits

from finser.errors import FinserError
from finser.project.partitions import Partition, Request, check, load, of, text

SIZES = st.integers(1, 64)
NAMES = st.sampled_from(["cpu", "2080", "a-b.c", "null", "on", "*x", "1e3"])
PARTITIONS = st.builds(Partition, NAMES, SIZES, SIZES, st.integers(0, 2), st.none() | SIZES)
REQUESTS = st.builds(Request, SIZES, SIZES, SIZES, st.integers(0, 2))


@given(PARTITIONS, REQUESTS)
def test_a_partition_takes_what_fits_it_for_snakemakes_slurm_plugin(one, request_):
    limits = PartitionLimits(
        max_threads=one.threads, max_mem_mb=one.mem_mb, max_gpu=one.gpus, max_runtime=math.inf if one.minutes is None else one.minutes
    )
    resources = {"mem_mb": request_.mem_mb, "runtime": request_.runtime, "gpu": request_.gpu}
    job = SimpleNamespace(name="job", threads=request_.threads, resources=resources)
    assert (PartitionOfThePlugin(one.name, limits).score_job_fit(job) is None) == bool(one.lacks(request_))


@given(st.lists(PARTITIONS, min_size=1, max_size=2, unique_by=lambda one: one.name))
def test_a_file_is_read_as_it_is_written(tmp_path_factory, partitions):
    path = tmp_path_factory.mktemp("partitions") / "partitions.yaml"
    path.write_text(text(partitions, {one.name: "" for one in partitions}))
    assert load(path) == partitions


def test_a_job_with_a_gpu_goes_to_the_last_partition():
    cpu, gpu = Partition("cpu", 4, 8000), Partition("gpu", 8, 64000, 1, 60)
    assert of([cpu, gpu], 0) == cpu and of([cpu, gpu], 1) == gpu and of([gpu], 0) == of([gpu], 1) == gpu


def test_a_refusal_says_what_the_partition_lacks():
    with pytest.raises(FinserError) as refused:
        check("pretrain", Request(16, 16000, 480, 1), Partition("cpu", 4, 8000, 0, 60), Path("p.yaml"))
    said = "p.yaml: partition cpu does not take pretrain; found 16 cores, of 4, 16000 MB, of 8000, 1 GPUs, of 0, 480 minutes, of 60; "
    assert str(refused.value).startswith(said)


def test_memory_that_is_not_configured_is_not_asked_for(tmp_path):
    (tmp_path / "p.yaml").write_text(text([Partition("toy", 2, 0)], {"toy": ""}))
    check("job", Request(1, 0, 30, 0), load(tmp_path / "p.yaml")[0], tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "names no partition; run finser cluster"),
        ("partitions: {}", "names no partition"),
        ("partitions: {toy: {threads: 2}}", "partition toy: no threads or mem_mb"),
        ("partitions: {toy: {threads: two, mem_mb: 1}}", "partition toy: threads; expected a whole number.*; found two"),
        ("partitions: {toy: {threads: -1, mem_mb: 1}}", "partition toy: threads; .*found -1"),
        ("partitions: {toy: {cores: 2}}", "partition toy: unknown key 'cores'; expected one of threads"),
        ("partitions: [", "p.yaml: "),
    ],
)
def test_a_faulty_file_is_one_line(tmp_path, content, said):
    (tmp_path / "p.yaml").write_text(content)
    with pytest.raises(FinserError, match=said) as refused:
        load(tmp_path / "p.yaml")
    assert "\n" not in str(refused.value)
