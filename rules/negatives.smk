"""Negatives: what runs over a retriever's training queries become once positives are taken out."""


rule negatives:
    input:
        dataset=lambda w: graph.dataset(graph.study.models[w.model].data),
        runs=lambda w: graph.training_runs(w.model),
    output:
        f"{RESULTS}/negatives/{{model}}.json",
    log:
        f"{RESULTS}/logs/negatives/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/negatives/{{model}}.jsonl"
    priority: lambda w: graph.waiting(w.model)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        settings=lambda w: graph.negatives_settings(w.model),
        code=fingerprint("negatives"),
    shell:
        "python scripts/negatives.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --runs {input.runs:q} --output {output:q} &> {log:q}"
