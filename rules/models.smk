"""Models: a rule for each recipe."""

for kind, function, names in jobs("models", "work"):

    rule:
        name:
            kind.tag()
        input:
            unpack(lambda w: graph.model_inputs(w.model)),
        output:
            f"{RESULTS}/models/{{model}}/manifest.json",
        log:
            f"{RESULTS}/logs/{kind.tag()}/{{model}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/{kind.tag()}/{{model}}.jsonl"
        wildcard_constraints:
            model=one_of(names),
        priority: lambda w: graph.awaited(w.model)
        conda:
            environment(kind.resources.gpu)
        threads: threads_of_model(kind.resources)
        resources:
            **asked_by_model(kind.resources),
        params:
            **work(kind, function),
            settings=lambda w: graph.model_settings(w.model),
            code=lambda w: fingerprint(*graph.study.models[w.model].roots("work")),
        shell:
            WORK


rule negatives:
    input:
        unpack(lambda w: graph.negatives_inputs(w.negatives)),
    output:
        f"{RESULTS}/negatives/{{negatives}}/manifest.json",
    log:
        f"{RESULTS}/logs/negatives/{{negatives}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/negatives/{{negatives}}.jsonl"
    priority: lambda w: graph.negatives_priority(w.negatives)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        settings=lambda w: graph.negatives_settings(w.negatives),
        code=lambda w: fingerprint("negatives"),
    shell:
        f"{LOGGED} python {SCRIPTS}/negatives.py --settings {{params.settings:q}} --code {{params.code}}"
        " --dataset {input.dataset:q} --runs {input.runs:q} --judge {input.judge:q} --output {output:q}"


rule cluster:
    input:
        unpack(lambda w: graph.clusters_inputs(w.clusters)),
    output:
        f"{RESULTS}/clusters/{{clusters}}/manifest.json",
    log:
        f"{RESULTS}/logs/cluster/{{clusters}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cluster/{{clusters}}.jsonl"
    priority: lambda w: graph.clusters_priority(w.clusters)
    conda:
        ENVIRONMENT
    threads: THREADS["training"]
    resources:
        mem_mb=memory(8000),
        runtime=minutes(120),
    params:
        settings=lambda w: graph.clusters_settings(w.clusters),
        code=lambda w: fingerprint("cluster"),
    shell:
        f"{LOGGED} python {SCRIPTS}/cluster.py --settings {{params.settings:q}} --code {{params.code}}"
        " --queries {input.queries:q} --output {output:q}"
