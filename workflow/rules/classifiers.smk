# Emotion classifiers: one job per model, protocol and fold.


rule fetch_weights:
    input:
        dvc.inputs("fetch_weights"),
    output:
        directory(dvc.outs("fetch_weights")),
    log:
        "logs/fetch_weights/{key}.log",
    benchmark:
        "logs/benchmarks/fetch_weights/{key}.tsv"
    wildcard_constraints:
        **dvc.wildcards("fetch_weights"),
    priority: 1
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    message:
        "Fetch the published weights {wildcards.key}"
    shell:
        dvc.repro("fetch_weights")


rule pretrain:
    input:
        dvc.inputs("pretrain"),
    output:
        model=directory(dvc.outs("pretrain")[0]),
        time=dvc.outs("pretrain")[1],
    log:
        "logs/pretrain/{trunk}-{protocol}-{fold}.log",
    benchmark:
        "logs/benchmarks/pretrain/{trunk}-{protocol}-{fold}.tsv"
    wildcard_constraints:
        **dvc.wildcards("pretrain"),
    priority: 1
    threads: 1
    resources:
        gpu=dvc.gpu,
        mem_mb=16000,
        runtime=480,
    message:
        "Pretrain the encoder of {wildcards.trunk}, fold {wildcards.fold} of {wildcards.protocol}"
    shell:
        dvc.repro("pretrain")


rule prepare_classifier:
    input:
        dvc.inputs("prepare_classifier"),
    output:
        directory(dvc.outs("prepare_classifier")),
    log:
        "logs/prepare_classifier/{key}.log",
    benchmark:
        "logs/benchmarks/prepare_classifier/{key}.tsv"
    wildcard_constraints:
        **dvc.wildcards("prepare_classifier"),
    priority: 1
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    message:
        "Write the options of {wildcards.key}"
    shell:
        dvc.repro("prepare_classifier")


rule prepare_fine_tuning:
    input:
        dvc.inputs("prepare_fine_tuning"),
    output:
        directory(dvc.outs("prepare_fine_tuning")),
    log:
        "logs/prepare_fine_tuning/{key}.log",
    benchmark:
        "logs/benchmarks/prepare_fine_tuning/{key}.tsv"
    wildcard_constraints:
        **dvc.wildcards("prepare_fine_tuning"),
    priority: 1
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    message:
        "Write the options and the initial weights of {wildcards.key}"
    shell:
        dvc.repro("prepare_fine_tuning")


rule train_classifier:
    input:
        dvc.inputs("train_classifier"),
    output:
        model=directory(dvc.outs("train_classifier")[0]),
        time=dvc.outs("train_classifier")[1],
    log:
        "logs/train_classifier/{model}-{protocol}-{fold}-{seed}.log",
    benchmark:
        "logs/benchmarks/train_classifier/{model}-{protocol}-{fold}-{seed}.tsv"
    wildcard_constraints:
        **dvc.wildcards("train_classifier"),
    priority: 1
    threads: 1
    resources:
        gpu=dvc.gpu,
        mem_mb=16000,
        runtime=480,
    message:
        "Train {wildcards.model} on fold {wildcards.fold} of {wildcards.protocol}, seed {wildcards.seed}"
    shell:
        dvc.repro("train_classifier")


rule evaluate_classifier:
    input:
        dvc.inputs("evaluate_classifier"),
    output:
        dvc.outs("evaluate_classifier"),
    log:
        "logs/evaluate_classifier/{model}-{protocol}-{fold}.log",
    benchmark:
        "logs/benchmarks/evaluate_classifier/{model}-{protocol}-{fold}.tsv"
    wildcard_constraints:
        **dvc.wildcards("evaluate_classifier"),
    threads: 1
    resources:
        gpu=dvc.gpu,
        mem_mb=8000,
        runtime=60,
    message:
        "Evaluate {wildcards.model} on fold {wildcards.fold} of {wildcards.protocol}"
    shell:
        dvc.repro("evaluate_classifier")


rule fuse_classifiers:
    input:
        dvc.inputs("fuse_classifiers"),
    output:
        dvc.outs("fuse_classifiers"),
    log:
        "logs/fuse_classifiers/{fusion}-{protocol}-{fold}.log",
    benchmark:
        "logs/benchmarks/fuse_classifiers/{fusion}-{protocol}-{fold}.tsv"
    wildcard_constraints:
        **dvc.wildcards("fuse_classifiers"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    message:
        "Fuse {wildcards.fusion} on fold {wildcards.fold} of {wildcards.protocol}"
    shell:
        dvc.repro("fuse_classifiers")
