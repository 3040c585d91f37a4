# Feature imitating networks: train, then R2 on speakers and corpora never heard.


rule train_front_end:
    input:
        dvc.inputs("train_front_end"),
    output:
        model=directory(dvc.outs("train_front_end")[0]),
        time=dvc.outs("train_front_end")[1],
    log:
        "logs/train_front_end/all.log",
    benchmark:
        "logs/benchmarks/train_front_end/all.tsv"
    priority: 3
    threads: 1
    resources:
        gpu=dvc.gpu,
        mem_mb=4000,
        runtime=120,
    message:
        "Teach the front end that chroma, mel and MFCC share"
    shell:
        dvc.repro("train_front_end")


rule train_fin:
    input:
        dvc.inputs("train_fin"),
    output:
        model=directory(dvc.outs("train_fin")[0]),
        time=dvc.outs("train_fin")[1],
    log:
        "logs/train_fin/{key}.log",
    benchmark:
        "logs/benchmarks/train_fin/{key}.tsv"
    wildcard_constraints:
        **dvc.wildcards("train_fin"),
    priority: 2
    threads: 1
    resources:
        gpu=dvc.gpu,
        mem_mb=8000,
        runtime=240,
    message:
        "Train the FIN for {wildcards.key}"
    shell:
        dvc.repro("train_fin")


rule evaluate_fin:
    input:
        dvc.inputs("evaluate_fin"),
    output:
        dvc.outs("evaluate_fin"),
    log:
        "logs/evaluate_fin/{feature}.log",
    benchmark:
        "logs/benchmarks/evaluate_fin/{feature}.tsv"
    wildcard_constraints:
        **dvc.wildcards("evaluate_fin"),
    threads: 1
    resources:
        gpu=dvc.gpu,
        mem_mb=8000,
        runtime=60,
    message:
        "Evaluate the FIN for {wildcards.feature}"
    shell:
        dvc.repro("evaluate_fin")


rule compare_fin:
    input:
        dvc.inputs("compare_fin"),
    output:
        dvc.outs("compare_fin"),
    log:
        "logs/compare_fin/{feature}-{way}-{seed}.log",
    benchmark:
        "logs/benchmarks/compare_fin/{feature}-{way}-{seed}.tsv"
    wildcard_constraints:
        **dvc.wildcards("compare_fin"),
    threads: 1
    resources:
        gpu=dvc.gpu,
        mem_mb=8000,
        runtime=60,
    message:
        "Train a FIN for {wildcards.feature} that begins {wildcards.way}, seed {wildcards.seed}"
    shell:
        dvc.repro("compare_fin")


rule reference_fin:
    input:
        dvc.inputs("reference_fin"),
    output:
        dvc.outs("reference_fin"),
    log:
        "logs/reference_fin/{feature}-{seed}.log",
    benchmark:
        "logs/benchmarks/reference_fin/{feature}-{seed}.tsv"
    wildcard_constraints:
        **dvc.wildcards("reference_fin"),
    threads: 1
    resources:
        gpu=dvc.gpu,
        mem_mb=8000,
        runtime=60,
    message:
        "Train the published net for {wildcards.feature}, seed {wildcards.seed}"
    shell:
        dvc.repro("reference_fin")
