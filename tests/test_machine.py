import torch

from finser import machine


def test_settings_name_all_that_decides_bytes(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    found = machine.settings(["torch"])
    assert sorted(found) == sorted(machine.SETTINGS)
    assert (found["threads"], found["cpu_capability"], found["device"], found["gpu"]) == (3, "AVX2", "cuda", "a GPU")
    assert found["versions"]["torch"] == torch.__version__.split("+")[0] or found["versions"]["torch"] == torch.__version__
    assert found["cpu"] == machine.cpu_model() != ""


def test_without_torch_blas_is_named():
    found = machine.settings(["scikit-learn"], torch=False)
    assert found["cpu_capability"] is None and found["gpu"] is None and found["device"] == "cpu" and found["threads"] == 1
    assert found["blas"] and set(found["versions"]) == {"finser", "numpy", "scikit-learn", "scipy"}


def test_training_threads_do_not_follow_the_cores(monkeypatch):
    import pytest

    from finser.errors import FinserError

    monkeypatch.setenv("FINSER_CORES", "7")
    monkeypatch.delenv("FINSER_THREADS", raising=False)
    assert machine.training_threads() == 1
    monkeypatch.setenv("FINSER_THREADS", "2")
    assert machine.training_threads() == 2
    monkeypatch.setenv("FINSER_THREADS", "many")
    with pytest.raises(FinserError, match="FINSER_THREADS"):
        machine.training_threads()
