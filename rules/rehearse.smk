"""What a rehearsal makes up: tiny files in the place of downloads, stand-ins in the place of released models."""


rule rehearse:
    output:
        f"{DATA}/files/{{dataset}}/manifest.json",
    log:
        f"{DATA}/.logs/rehearse/{{dataset}}.log",
    benchmark:
        f"{DATA}/.benchmarks/rehearse/{{dataset}}.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings=lambda w: graph.rehearse_settings(w.dataset),
        code=lambda w: fingerprint("rehearse", *graph.study.datasets[w.dataset].roots("rehearse")),
    shell:
        f"{LOGGED} python {SCRIPTS}/rehearse.py --settings {{params.settings:q}} --code {{params.code}} --output {{output:q}}"


for kind, function, names in jobs("rankers", "rehearse"):

    rule:
        name:
            f"{function}_{kind.tag()}"
        output:
            f"{DATA}/files/ranker.{kind.tag()}/manifest.json",
        log:
            f"{DATA}/.logs/rehearse/ranker.{kind.tag()}.log",
        benchmark:
            f"{DATA}/.benchmarks/rehearse/ranker.{kind.tag()}.jsonl"
        conda:
            ENVIRONMENT
        resources:
            **asked(kind.needs(function)),
        params:
            **work(kind, function),
            settings=graph.ranker_rehearse_settings(),
            code=fingerprint(f"{kind.module()}:{function}"),
        shell:
            WORK


rule stand_in:
    output:
        f"{DATA}/stand-ins/{{place}}/manifest.json",
    log:
        f"{DATA}/.logs/stand-ins/{{place}}.log",
    benchmark:
        f"{DATA}/.benchmarks/stand-ins/{{place}}.jsonl"
    wildcard_constraints:
        place="[^/]+",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        settings=lambda w: graph.stand_in_settings(w.place),
        code=lambda w: fingerprint("stand_in"),
    shell:
        f"{LOGGED} python {SCRIPTS}/stand_in.py --settings {{params.settings:q}} --code {{params.code}} --output {{output:q}}"
