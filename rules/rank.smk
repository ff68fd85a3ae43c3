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


rule rank_exact:
    input:
        queries=lambda w: graph.embeddings(graph.dense_model(w.ranker), w.dataset, f"queries.{w.split}"),
        corpus=lambda w: graph.embeddings(graph.dense_model(w.ranker), w.dataset, "corpus"),
    output:
        f"{RESULTS}/runs/{{ranker}}/{{dataset}}.{{split}}.json",
    log:
        f"{RESULTS}/logs/rank/{{ranker}}/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rank/{{ranker}}/{{dataset}}.{{split}}.jsonl"
    wildcard_constraints:
        ranker=one_of(graph.with_index(approximate=False)),
    priority: lambda w: graph.waiting(graph.dense_model(w.ranker))
    conda:
        ENVIRONMENT
    threads: HALF
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=lambda w: graph.rank_settings(w.ranker, w.split),
        code=fingerprint("rank_exact"),
    shell:
        "python scripts/rank_exact.py --settings {params.settings:q} --code {params.code}"
        " --queries {input.queries:q} --corpus {input.corpus:q} --output {output:q} &> {log:q}"


rule rank_index:
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
        ranker=one_of(graph.with_index(approximate=True)),
    priority: lambda w: graph.waiting(graph.dense_model(w.ranker))
    conda:
        ENVIRONMENT
    threads: HALF
    resources:
        mem_mb=32000,
        runtime=240,
    params:
        settings=lambda w: graph.rank_settings(w.ranker, w.split),
        code=fingerprint("rank_index"),
    shell:
        "python scripts/rank_index.py --settings {params.settings:q} --code {params.code}"
        " --queries {input.queries:q} --index {input.index:q} --output {output:q} &> {log:q}"


rule rank_file:
    input:
        dataset=f"{DATA}/{{dataset}}/manifest.json",
        file=lambda w: graph.run_file(w.ranker, w.dataset, w.split),
    output:
        f"{RESULTS}/runs/{{ranker}}/{{dataset}}.{{split}}.json",
    log:
        f"{RESULTS}/logs/rank/{{ranker}}/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rank/{{ranker}}/{{dataset}}.{{split}}.jsonl"
    wildcard_constraints:
        ranker=one_of(graph.with_kind("file")),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        settings=lambda w: graph.rank_settings(w.ranker, w.split),
        code=fingerprint("rank_file"),
    shell:
        "python scripts/rank_file.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --file {input.file:q} --output {output:q} &> {log:q}"


rule rank_given:
    input:
        dataset=f"{DATA}/{{dataset}}/manifest.json",
    output:
        f"{RESULTS}/runs/{{ranker}}/{{dataset}}.{{split}}.json",
    log:
        f"{RESULTS}/logs/rank/{{ranker}}/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/rank/{{ranker}}/{{dataset}}.{{split}}.jsonl"
    wildcard_constraints:
        ranker=one_of(graph.with_kind("given")),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=lambda w: graph.rank_settings(w.ranker, w.split),
        code=fingerprint("rank_given"),
    shell:
        "python scripts/rank_given.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --output {output:q} &> {log:q}"


rule tune:
    input:
        dataset=f"{DATA}/{{dataset}}/manifest.json",
        runs=lambda w: graph.tuned_runs(w.ranker, w.dataset),
    output:
        f"{RESULTS}/fusions/{{ranker}}/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/tune/{{ranker}}/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/tune/{{ranker}}/{{dataset}}.jsonl"
    wildcard_constraints:
        ranker=one_of(graph.tuned_rankers),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=lambda w: graph.tune_settings(w.ranker),
        code=fingerprint("tune"),
    shell:
        "python scripts/tune.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --runs {input.runs:q} --output {output:q} &> {log:q}"


rule fuse:
    input:
        runs=lambda w: graph.fused_runs(w.ranker, w.dataset, w.split),
        tuned=lambda w: graph.tuned(w.ranker, w.dataset),
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
        mem_mb=4000,
        runtime=60,
    params:
        settings=lambda w: graph.fuse_settings(w.ranker),
        code=fingerprint("fuse"),
    shell:
        "python scripts/fuse.py --settings {params.settings:q} --code {params.code} --runs {input.runs:q}"
        " --tuned {input.tuned:q} --output {output:q} &> {log:q}"


rule export:
    input:
        dataset=f"{DATA}/{{dataset}}/manifest.json",
        run=f"{RESULTS}/runs/{{ranker}}/{{dataset}}.{{split}}.json",
    output:
        f"{RESULTS}/exports/{{ranker}}/{{dataset}}.{{split}}.{{format}}",
    log:
        f"{RESULTS}/logs/export/{{ranker}}/{{dataset}}.{{split}}.{{format}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/export/{{ranker}}/{{dataset}}.{{split}}.{{format}}.jsonl"
    wildcard_constraints:
        format=r"trec|msmarco\.tsv",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings="{}",
        code=fingerprint("export"),
    shell:
        "python scripts/export.py --dataset {input.dataset:q} --run {input.run:q} --output {output:q} &> {log:q}"
