"""Scores of runs, and the tables that they fill."""


rule evaluate:
    input:
        dataset=f"{DATA}/{{dataset}}/manifest.json",
        run=f"{RESULTS}/runs/{{ranker}}/{{dataset}}.{{split}}.json",
        exact=lambda w: graph.exact_run(w.ranker, w.dataset, w.split),
        latency=lambda w: graph.latencies(w.ranker, w.dataset, w.split),
    output:
        f"{RESULTS}/scores/{{ranker}}/{{dataset}}.{{split}}.json",
    log:
        f"{RESULTS}/logs/evaluate/{{ranker}}/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{ranker}}/{{dataset}}.{{split}}.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=lambda w: graph.evaluate_settings(w.ranker, w.dataset, w.split),
        code=fingerprint("evaluate"),
    shell:
        "python scripts/evaluate.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --run {input.run:q} --exact {input.exact:q} --latency {input.latency:q} --output {output:q} &> {log:q}"


rule latency:
    input:
        dataset=f"{DATA}/{{dataset}}/manifest.json",
        model=lambda w: graph.answering(w.ranker, w.dataset)["model"],
        corpus=lambda w: graph.answering(w.ranker, w.dataset)["corpus"],
        index=lambda w: graph.answering(w.ranker, w.dataset)["index"],
    output:
        f"{RESULTS}/latency/{{ranker}}/{{dataset}}.{{split}}.json",
    log:
        f"{RESULTS}/logs/latency/{{ranker}}/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/latency/{{ranker}}/{{dataset}}.{{split}}.jsonl"
    conda:
        ENVIRONMENT
    # nothing runs beside it
    threads: workflow.resource_settings.cores or 16
    resources:
        mem_mb=32000,
        runtime=120,
    params:
        settings=lambda w: graph.latency_settings(w.ranker, w.split),
        code=fingerprint("latency"),
    shell:
        "python scripts/latency.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --model {input.model:q} --corpus {input.corpus:q} --index {input.index:q} --output {output:q} &> {log:q}"


rule compare:
    input:
        scores=lambda w: graph.table_scores(w.table),
    output:
        f"{RESULTS}/comparisons/{{table}}.json",
    log:
        f"{RESULTS}/logs/compare/{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare/{{table}}.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        settings=lambda w: graph.compare_settings(w.table),
        code=fingerprint("compare"),
    shell:
        "python scripts/compare.py --settings {params.settings:q} --code {params.code} --scores {input.scores:q}"
        " --output {output:q} &> {log:q}"


rule table:
    input:
        scores=lambda w: graph.table_scores(w.table),
        comparison=lambda w: graph.comparisons(w.table),
    output:
        csv=report(f"{RESULTS}/tables/{{table}}.csv", category="Tables"),
        md=f"{RESULTS}/tables/{{table}}.md",
    log:
        f"{RESULTS}/logs/table/{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/table/{{table}}.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=lambda w: graph.table_settings(w.table),
        code=fingerprint("table"),
    shell:
        "python scripts/table.py --settings {params.settings:q} --scores {input.scores:q}"
        " --comparison {input.comparison:q} --output {output.csv:q} &> {log:q}"
