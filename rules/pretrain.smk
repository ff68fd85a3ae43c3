"""Pre-training: each recipe turns one model into another."""


rule mlm:
    input:
        unpack(trained_on),
        parent=parent,
    output:
        f"{RESULTS}/models/{{model}}/manifest.json",
    log:
        f"{RESULTS}/logs/mlm/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/mlm/{{model}}.jsonl"
    wildcard_constraints:
        model=one_of(graph.with_recipe("mlm")),
    priority: lambda w: graph.waiting(w.model)
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        mem_mb=16000,
        runtime=2880,
    params:
        settings=lambda w: graph.model_settings(w.model),
        code=fingerprint("mlm"),
    shell:
        "python scripts/mlm.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --tokens {input.tokens:q} --tokenizer {input.tokenizer:q} --parent {input.parent:q}"
        f" {MEMORY} --output {{output:q}} &> {{log:q}}"


rule condenser:
    input:
        unpack(trained_on),
        parent=parent,
    output:
        f"{RESULTS}/models/{{model}}/manifest.json",
    log:
        f"{RESULTS}/logs/condenser/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/condenser/{{model}}.jsonl"
    wildcard_constraints:
        model=one_of(graph.with_recipe("condenser")),
    priority: lambda w: graph.waiting(w.model)
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        mem_mb=16000,
        runtime=2880,
    params:
        settings=lambda w: graph.model_settings(w.model),
        code=fingerprint("condenser"),
    shell:
        "python scripts/condenser.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --tokens {input.tokens:q} --tokenizer {input.tokenizer:q} --parent {input.parent:q}"
        f" {MEMORY} --output {{output:q}} &> {{log:q}}"


rule cocondenser:
    input:
        unpack(trained_on),
        parent=parent,
    output:
        f"{RESULTS}/models/{{model}}/manifest.json",
    log:
        f"{RESULTS}/logs/cocondenser/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cocondenser/{{model}}.jsonl"
    wildcard_constraints:
        model=one_of(graph.with_recipe("cocondenser")),
    priority: lambda w: graph.waiting(w.model)
    conda:
        ENVIRONMENT
    threads: 8
    resources:
        mem_mb=16000,
        runtime=2880,
    params:
        settings=lambda w: graph.model_settings(w.model),
        code=fingerprint("cocondenser"),
    shell:
        "python scripts/cocondenser.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --tokens {input.tokens:q} --tokenizer {input.tokenizer:q} --parent {input.parent:q}"
        f" {MEMORY} --output {{output:q}} &> {{log:q}}"
