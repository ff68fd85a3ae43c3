"""Indexes: BM25's postings, and FAISS over vectors."""


rule bm25:
    input:
        dataset=f"{DATA}/{{dataset}}/manifest.json",
    output:
        f"{RESULTS}/indexes/{{ranker}}/{{dataset}}/manifest.json",
    log:
        f"{RESULTS}/logs/bm25/{{ranker}}/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/bm25/{{ranker}}/{{dataset}}.jsonl"
    wildcard_constraints:
        ranker=one_of(graph.with_kind("bm25")),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=16000,
        runtime=240,
    params:
        settings=lambda w: graph.bm25_settings(w.ranker),
        code=fingerprint("bm25"),
    shell:
        "python scripts/bm25.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --output {output:q} &> {log:q}"


rule index:
    input:
        corpus=lambda w: graph.embeddings(graph.dense_model(w.ranker), w.dataset, "corpus"),
    output:
        f"{RESULTS}/indexes/{{ranker}}/{{dataset}}/manifest.json",
    log:
        f"{RESULTS}/logs/index/{{ranker}}/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/index/{{ranker}}/{{dataset}}.jsonl"
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
        settings=lambda w: graph.index_settings(w.ranker),
        code=fingerprint("index"),
    shell:
        "python scripts/index.py --settings {params.settings:q} --code {params.code}"
        " --corpus {input.corpus:q} --output {output:q} &> {log:q}"
