import json

from finser import layout
from finser.files import read_json, write_json
from finser.report import machines
from finser.report.page import write_page
from finser.report.read import collect


def changed(path, **values):
    figures = json.loads(path.read_text())
    figures["trained_under"][0] |= values
    path.write_text(json.dumps(figures))


def test_models_of_the_same_settings_are_not_flagged(here):
    results = collect(here.params)
    assert machines.unlike(results) == []
    page = write_page(results)
    assert "different settings" not in page and "| vector instructions (torch) | AVX512 |" in page and "| CPU | AMD EPYC |" in page


def test_models_of_different_settings_are_named_with_the_difference(here):
    model = next(name for name in here.params.models if name != "svm")
    under = json.loads((layout.fin_result("mel")).read_text())["trained_under"][0]["versions"]
    changed(layout.fin_result("mel"), threads=4, versions={**under, "torch": "2.12.0"})
    protocol, fold = here.params.protocols[0], here.params.folds[0]
    changed(layout.classifier_result(model, protocol, fold) / "metrics.json", cpu_capability="AVX2")
    results = collect(here.params)
    lines = machines.unlike(results)
    assert [line.split(":")[0] for line in lines] == ["threads", "vector instructions (torch)", "torch"]
    assert "4 (FIN mel)" in lines[0] and f"AVX2 ({model})" in lines[1] and "2.12.0 (FIN mel)" in lines[2]
    page = write_page(results)
    assert "**Trained with different settings**" in page and all(f"- {line}." in page for line in lines)


def test_models_that_train_on_no_gpu_are_not_compared_with_those_that_do(here):
    """Nor has an SVM the threads of the others."""
    for feature in ("rms", "zcr", "chroma", "mel", "mfcc"):
        changed(layout.fin_result(feature), device="cuda", gpu="H100", threads=4)
    compared = read_json(layout.fin_comparisons())
    for one in (one for ways in compared.values() for seeds in ways.values() for one in seeds.values()):
        one["trained_under"][0] |= {"device": "cuda", "gpu": "H100", "threads": 4}
    write_json(layout.fin_comparisons(), compared)
    changed(layout.classifier_result("mlp", here.params.protocols[0], here.params.folds[0]) / "metrics.json", threads=4)
    assert machines.unlike(collect(here.params)) == []
    changed(layout.fin_result("mel"), gpu="A100")
    (line,) = machines.unlike(collect(here.params))
    assert line.startswith("GPU: ") and "A100 (FIN mel)" in line


def test_versions_of_training_and_of_the_page(here):
    table = machines.versions(collect(here.params))
    assert "| software | this page | training |" in table and "2.13.0 |" in table and "| snakemake |" in table
