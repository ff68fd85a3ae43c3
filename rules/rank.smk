"""Runs: each kind of ranker gives the same artifact."""


rule rank_bm25:
    input:
        dataset=f"{DATA}/{{dataset}}/manifest.json",
        index=f"{RESULTS}/indexes/{{ranker}}/{{dataset}}/manifest.json",
    output:
        f"{RESULTS}/runs/{{ranker}}/{{dataset}}.{{split}}.json",
    log:
        f"{RESULTS}/logs/rank/{{ranker}}/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rank/{{ranker}}/{{dataset}}.{{split}}.jsonl"
    wildcard_constraints:
        ranker=one_of(graph.with_kind("bm25")),
    conda:
        ENVIRONMENT
    threads: HALF
    resources:
        mem_mb=16000,
        runtime=240,
    params:
        settings=lambda w: graph.rank_settings(w.ranker, w.split),
        code=fingerprint("rank_bm25"),
    shell:
        "python scripts/rank_bm25.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --index {input.index:q} --threads {threads} --output {output:q} &> {log:q}"


rule rank_dense:
    input:
        queries=lambda w: graph.embeddings(graph.dense_model(w.ranker), w.dataset, f"queries.{w.split}"),
        index=f"{RESULTS}/indexes/{{ranker}}/{{dataset}}/manifest.json",
    output:
        f"{RESULTS}/runs/{{ranker}}/{{dataset}}.{{split}}.json",
    log:
        f"{RESULTS}/logs/rank/{{ranker}}/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rank/{{ranker}}/{{dataset}}.{{split}}.jsonl"
    wildcard_constraints:
        ranker=one_of(graph.with_kind("dense")),
    priority: lambda w: graph.waiting(graph.dense_model(w.ranker))
    conda:
        ENVIRONMENT
    threads: HALF
    resources:
        mem_mb=32000,
        runtime=240,
    params:
        settings=lambda w: graph.rank_settings(w.ranker, w.split),
        code=fingerprint("rank_dense"),
    shell:
        "python scripts/rank_dense.py --settings {params.settings:q} --code {params.code}"
        " --queries {input.queries:q} --index {input.index:q} --output {output:q} &> {log:q}"


rule fuse:
    input:
        runs=lambda w: [graph.run(part, w.dataset, w.split) for part in graph.study.rankers[w.ranker].of],
    output:
        f"{RESULTS}/runs/{{ranker}}/{{dataset}}.{{split}}.json",
    log:
        f"{RESULTS}/logs/rank/{{ranker}}/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rank/{{ranker}}/{{dataset}}.{{split}}.jsonl"
    wildcard_constraints:
        ranker=one_of(graph.with_kind("fusion")),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        settings=lambda w: graph.fuse_settings(w.ranker),
        code=fingerprint("fuse"),
    shell:
        "python scripts/fuse.py --settings {params.settings:q} --code {params.code} --runs {input.runs:q}"
        " --output {output:q} &> {log:q}"
