# Figures of all folds together with their intervals, and the report, which formats them.


rule summarise:
    input:
        dvc.inputs("summarise"),
    output:
        dvc.outs("summarise"),
    log:
        "logs/summarise/all.log",
    benchmark:
        "logs/benchmarks/summarise/all.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    message:
        "Sum up all folds, and compare the models"
    shell:
        dvc.repro("summarise")


rule report:
    input:
        dvc.inputs("report"),
    output:
        markdown=report(dvc.outs("report")[0], caption="../report/report.rst", category="Report"),
        html=dvc.outs("report")[1],
        figures=directory(dvc.outs("report")[2]),
    log:
        "logs/report/all.log",
    benchmark:
        "logs/benchmarks/report/all.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    message:
        "Write the report"
    shell:
        dvc.repro("report")
