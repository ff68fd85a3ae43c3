"""Datasets, tokenizers, tokens: shared by all studies."""


rule prepare:
    input:
        files=lambda w: graph.dataset_files(w.dataset),
    output:
        f"{DATA}/{{dataset}}/manifest.json",
    log:
        f"{DATA}/.logs/prepare/{{dataset}}.log",
    benchmark:
        f"{DATA}/.benchmarks/prepare/{{dataset}}.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(lambda w: graph.study.datasets[w.dataset].resources.mem_mb),
        runtime=minutes(lambda w: graph.study.datasets[w.dataset].resources.runtime),
    params:
        settings=lambda w: in_words(graph.dataset_settings(w.dataset)),
        code=lambda w: fingerprint("prepare", *graph.study.datasets[w.dataset].roots("write")),
    shell:
        f"{LOGGED} python {SCRIPTS}/prepare.py --settings {{params.settings:q}} --code {{params.code}}"
        f" --study {STUDY}"
        " --files {input.files:q} --output {output:q}"


rule download:
    output:
        f"{DATA}/downloads/{{file}}.json",
    log:
        f"{DATA}/.logs/download/{{file}}.log",
    benchmark:
        f"{DATA}/.benchmarks/download/{{file}}.jsonl"
    wildcard_constraints:
        file=r"[^/]+\.[^/]+",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(500),
        runtime=minutes(1440),
    params:
        settings=lambda w: graph.download_settings(w.file),
        code=lambda w: fingerprint("download"),
    shell:
        f"{LOGGED} python {SCRIPTS}/download.py --settings {{params.settings:q}} --code {{params.code}}"
        f" --mirrors {quoted(json.dumps(graph.config.mirrors))} --offline {quoted(graph.config.offline or '')}"
        " --output {output:q}"


rule tokenizer:
    input:
        unpack(lambda w: graph.tokenizer_inputs(w.tokenizer)),
    output:
        f"{DATA}/tokenizers/{{tokenizer}}/manifest.json",
    log:
        f"{DATA}/.logs/tokenizer/{{tokenizer}}.log",
    benchmark:
        f"{DATA}/.benchmarks/tokenizer/{{tokenizer}}.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        settings=lambda w: graph.tokenizer_settings(w.tokenizer),
        code=lambda w: fingerprint("tokenizer"),
    shell:
        f"{LOGGED} python {SCRIPTS}/tokenizer.py --settings {{params.settings:q}} --code {{params.code}}"
        " --dataset {input.dataset:q} --other {input.stand_in:q} --output {output:q}"


rule tokenize:
    input:
        dataset=f"{DATA}/{{dataset}}/manifest.json",
        tokenizer=f"{DATA}/tokenizers/{{tokenizer}}/manifest.json",
    output:
        f"{DATA}/{{dataset}}/tokens/{{tokenizer}}/manifest.json",
    log:
        f"{DATA}/.logs/tokenize/{{dataset}}/{{tokenizer}}.log",
    benchmark:
        f"{DATA}/.benchmarks/tokenize/{{dataset}}/{{tokenizer}}.jsonl"
    conda:
        ENVIRONMENT
    threads: HALF
    resources:
        mem_mb=memory(8000),
        runtime=minutes(240),
    params:
        settings="{}",
        code=lambda w: fingerprint("tokenize_texts"),
    shell:
        f"{LOGGED} python {SCRIPTS}/tokenize_texts.py --settings {{params.settings:q}} --code {{params.code}}"
        " --dataset {input.dataset:q} --tokenizer {input.tokenizer:q} --output {output:q}"
