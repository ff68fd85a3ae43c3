"""Rankers: what each kind builds for a dataset, and its runs, which are the same artifact for all."""

for kind, function, names in jobs("rankers", "derive"):

    rule:
        name:
            f"{function}_{kind.tag()}"
        input:
            unpack(lambda w: graph.derive_inputs(w.derived, w.dataset)),
        output:
            f"{RESULTS}/derived/{{derived}}/{{dataset}}/{{shard}}of{{shards}}.json",
        log:
            f"{RESULTS}/logs/derive/{{derived}}/{{dataset}}-{{shard}}of{{shards}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/derive/{{derived}}/{{dataset}}-{{shard}}of{{shards}}.jsonl"
        wildcard_constraints:
            derived=one_of(sorted({*map(graph.derived_name, names)})),
        priority: lambda w: graph.awaited(graph.deriving(w.derived).waits_for())
        conda:
            environment(kind.needs(function).gpu)
        threads: threads_of(kind.needs(function))
        resources:
            **asked(kind.needs(function)),
        params:
            **work(kind, function),
            settings=lambda w: graph.derive_settings(w.derived, int(w.shard), int(w.shards)),
            code=lambda w: fingerprint(*graph.deriving(w.derived).roots("derive")),
        shell:
            WORK


for kind, function, names in jobs("rankers", "index"):

    rule:
        name:
            f"{function}_{kind.tag()}"
        input:
            unpack(lambda w: graph.index_inputs(w.ranker, w.dataset)),
        output:
            f"{RESULTS}/indexes/{{ranker}}/{{dataset}}/manifest.json",
        log:
            f"{RESULTS}/logs/index/{{ranker}}/{{dataset}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/index/{{ranker}}/{{dataset}}.jsonl"
        wildcard_constraints:
            ranker=one_of(names),
        priority: lambda w: graph.awaited(graph.study.rankers[w.ranker].waits_for())
        conda:
            environment(kind.needs(function).gpu)
        threads: threads_of(kind.needs(function))
        resources:
            **asked(kind.needs(function)),
        params:
            **work(kind, function),
            settings=lambda w: graph.index_settings(w.ranker),
            code=lambda w: fingerprint(*graph.study.rankers[w.ranker].roots("index")),
        shell:
            WORK


for kind, function, names in jobs("rankers", "rank"):

    rule:
        name:
            f"{function}_{kind.tag()}"
        input:
            unpack(lambda w: graph.rank_inputs(w.ranker, w.dataset, w.split)),
        output:
            f"{RESULTS}/runs/{{ranker}}/{{dataset}}.{{split}}.json",
        log:
            f"{RESULTS}/logs/rank/{{ranker}}/{{dataset}}.{{split}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/rank/{{ranker}}/{{dataset}}.{{split}}.jsonl"
        wildcard_constraints:
            ranker=one_of(names),
        priority: lambda w: graph.awaited(graph.study.rankers[w.ranker].waits_for())
        conda:
            environment(kind.needs(function).gpu)
        threads: threads_of(kind.needs(function))
        resources:
            **asked(kind.needs(function)),
        params:
            **work(kind, function),
            settings=lambda w: graph.rank_settings(w.ranker, w.split),
            code=lambda w: fingerprint(*graph.study.rankers[w.ranker].roots("rank")),
        shell:
            WORK


for kind, function, names in jobs("rankers", "latency"):

    rule:
        name:
            f"{function}_{kind.tag()}"
        input:
            unpack(lambda w: graph.latency_inputs(w.ranker, w.dataset)),
        output:
            f"{RESULTS}/latency/{{ranker}}/{{dataset}}.{{split}}.json",
        log:
            f"{RESULTS}/logs/latency/{{ranker}}/{{dataset}}.{{split}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/latency/{{ranker}}/{{dataset}}.{{split}}.jsonl"
        wildcard_constraints:
            ranker=one_of(names),
        conda:
            environment(kind.needs(function).gpu)
        threads: CORES  # nothing runs beside it
        resources:
            **asked(kind.needs(function)),
        params:
            **work(kind, function),
            settings=lambda w: graph.latency_settings(w.ranker, w.dataset, w.split),
            code=lambda w: fingerprint(*graph.latency_roots(w.ranker)),
        shell:
            WORK


rule turns:
    input:
        unpack(lambda w: graph.turns_inputs(w.turns, w.dataset, w.split)),
    output:
        f"{RESULTS}/latency/{{turns}}/{{dataset}}.{{split}}.json",
    log:
        f"{RESULTS}/logs/turns/{{turns}}/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/turns/{{turns}}/{{dataset}}.{{split}}.jsonl"
    conda:
        environment(gpu=1)
    threads: CORES  # nothing runs beside it
    resources:
        **asked_by_turns(),
    params:
        settings=lambda w: in_words(graph.turns_settings(w.turns, w.dataset, w.split)),
        code=lambda w: fingerprint(*graph.turns_roots(w.turns, w.dataset, w.split)),
    shell:
        f"{LOGGED} python {SCRIPTS}/turns.py --settings {{params.settings:q}} --code {{params.code}} --dataset {{input.dataset:q}}"
        " --parts {input.parts:q} --output {output:q}"


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
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        settings="{}",
        code=lambda w: fingerprint("export"),
    shell:
        f"{LOGGED} python {SCRIPTS}/export.py --dataset {{input.dataset:q}} --run {{input.run:q}} --output {{output:q}}"


rule export_vectors:
    input:
        dataset=f"{DATA}/{{dataset}}/manifest.json",
        vectors=lambda w: graph.embeddings(w.model, w.dataset, w.part),
    output:
        vectors=f"{RESULTS}/exports/{{model}}/{{dataset}}.{{part}}.npy",
        ids=f"{RESULTS}/exports/{{model}}/{{dataset}}.{{part}}.ids.txt",
    log:
        f"{RESULTS}/logs/export/{{model}}/{{dataset}}.{{part}}.npy.log",
    benchmark:
        f"{RESULTS}/benchmarks/export/{{model}}/{{dataset}}.{{part}}.npy.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(4000),
        runtime=minutes(240),
    params:
        settings="{}",
        code=lambda w: fingerprint("export"),
    shell:
        f"{LOGGED} python {SCRIPTS}/export.py --dataset {{input.dataset:q}} --vectors {{input.vectors:q}} --output {{output.vectors:q}}"
