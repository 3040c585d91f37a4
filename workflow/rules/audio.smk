# Audio: one rate, variants, librosa's features, and who is in train, validation and test.


rule resample:
    input:
        dvc.inputs("resample"),
    output:
        directory(dvc.outs("resample")),
    log:
        "logs/resample/{corpus}.log",
    benchmark:
        "logs/benchmarks/resample/{corpus}.tsv"
    wildcard_constraints:
        **dvc.wildcards("resample"),
    priority: 3
    threads: dvc.threads("resample")
    resources:
        mem_mb=dvc.memory,
        runtime=60,
    message:
        "Resample {wildcards.corpus} to 22,050 Hz mono"
    shell:
        dvc.repro("resample")


rule augment:
    input:
        dvc.inputs("augment"),
    output:
        directory(dvc.outs("augment")),
    log:
        "logs/augment/{corpus}.log",
    benchmark:
        "logs/benchmarks/augment/{corpus}.tsv"
    wildcard_constraints:
        **dvc.wildcards("augment"),
    priority: 3
    threads: dvc.threads("augment")
    resources:
        mem_mb=dvc.memory,
        runtime=120,
    message:
        "Make the augmented variants of {wildcards.corpus}"
    shell:
        dvc.repro("augment")


rule label:
    input:
        dvc.inputs("label"),
    output:
        directory(dvc.outs("label")),
    log:
        "logs/label/{corpus}.log",
    benchmark:
        "logs/benchmarks/label/{corpus}.tsv"
    wildcard_constraints:
        **dvc.wildcards("label"),
    priority: 3
    threads: dvc.threads("label")
    resources:
        mem_mb=dvc.memory,
        runtime=60,
    message:
        "Compute librosa's features of every frame of {wildcards.corpus}"
    shell:
        dvc.repro("label")


rule split:
    input:
        dvc.inputs("split"),
    output:
        dvc.outs("split"),
    log:
        "logs/split/{protocol}.log",
    benchmark:
        "logs/benchmarks/split/{protocol}.tsv"
    wildcard_constraints:
        **dvc.wildcards("split"),
    priority: 3
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "Deal the clips into train, validation and test: {wildcards.protocol}"
    shell:
        dvc.repro("split")
