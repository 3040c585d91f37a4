# Corpora: from wherever params.yaml says to an index of what is usable.


rule fetch:
    input:
        dvc.inputs("fetch"),
    output:
        directory(dvc.outs("fetch")),
    log:
        "logs/fetch/{corpus}.log",
    benchmark:
        "logs/benchmarks/fetch/{corpus}.tsv"
    priority: 3
    conda:
        "../../environment.yml"
    threads: dvc.threads("fetch", workflow.resource_settings.cores)
    resources:
        mem_mb=dvc.memory,
        runtime=240,
    message:
        "Fetch {wildcards.corpus}"
    shell:
        dvc.repro("fetch")


rule index:
    input:
        dvc.inputs("index"),
    output:
        dvc.outs("index"),
    log:
        "logs/index/{corpus}.log",
    benchmark:
        "logs/benchmarks/index/{corpus}.tsv"
    priority: 3
    conda:
        "../../environment.yml"
    threads: dvc.threads("index", workflow.resource_settings.cores)
    resources:
        mem_mb=dvc.memory,
        runtime=60,
    message:
        "List every audio file of {wildcards.corpus}, good or not"
    shell:
        dvc.repro("index")
