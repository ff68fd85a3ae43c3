"""Vectors of passages and queries, a job for each shard."""


rule encode:
    input:
        tokens=lambda w: graph.tokens(w.model, w.dataset, PASSAGES if w.part == "corpus" else QUERIES),
        model=f"{RESULTS}/models/{{model}}/manifest.json",
    output:
        f"{RESULTS}/embeddings/{{model}}/{{dataset}}/{{part}}-{{shard}}of{{shards}}.json",
    log:
        f"{RESULTS}/logs/encode/{{model}}/{{dataset}}.{{part}}-{{shard}}of{{shards}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/encode/{{model}}/{{dataset}}.{{part}}-{{shard}}of{{shards}}.jsonl"
    priority: lambda w: graph.awaited(w.model)
    conda:
        environment(gpu=1)
    threads: HALF
    resources:
        gpu=1,
        mem_mb=memory(8000),
        runtime=minutes(720),
    params:
        settings=lambda w: graph.encode_settings(w.model, w.part, int(w.shard), int(w.shards)),
        code=lambda w: fingerprint("encode"),
    shell:
        f"{LOGGED} python {SCRIPTS}/encode.py --settings {{params.settings:q}} --code {{params.code}} --tokens {{input.tokens:q}}"
        " --model {input.model:q} --output {output:q}"
