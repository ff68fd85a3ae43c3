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
