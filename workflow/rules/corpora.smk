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
    wildcard_constraints:
        **dvc.wildcards("fetch"),
    priority: 3
    threads: dvc.threads("fetch")
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
    wildcard_constraints:
        **dvc.wildcards("index"),
    priority: 3
    threads: dvc.threads("index")
    resources:
        mem_mb=dvc.memory,
        runtime=60,
    message:
        "List every audio file of {wildcards.corpus}, good or not"
    shell:
        dvc.repro("index")
