"""Fine-tuning: a pre-trained model becomes a retriever. One that others have trained is taken as it is."""


rule retriever:
    input:
        unpack(trained_on),
        unpack(of_queries),
        negatives=lambda w: f"{RESULTS}/negatives/{w.model}.json" if graph.training_runs(w.model) else [],
        development=lambda w: graph.development_runs(w.model),
        parent=parent,
    output:
        f"{RESULTS}/models/{{model}}/manifest.json",
    log:
        f"{RESULTS}/logs/retriever/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/retriever/{{model}}.jsonl"
    wildcard_constraints:
        model=one_of(graph.with_recipe("retriever")),
    priority: lambda w: graph.waiting(w.model)
    conda:
        ENVIRONMENT
    threads: HALF
    resources:
        mem_mb=16000,
        runtime=1440,
    params:
        settings=lambda w: graph.model_settings(w.model),
        code=fingerprint("retriever"),
    shell:
        "python scripts/retriever.py --settings {params.settings:q} --code {params.code} --dataset {input.dataset:q}"
        " --tokens {input.tokens:q} --tokenizer {input.tokenizer:q} --query_tokens {input.query_tokens:q}"
        " --query_tokenizer {input.query_tokenizer:q} --negatives {input.negatives:q}"
        " --development {input.development:q} --parent {input.parent:q} --query_parent {input.query_parent:q}"
        f" {MEMORY} --output {{output:q}} &> {{log:q}}"


rule released:
    input:
        tokenizer=lambda w: graph.tokenizer(w.model),
        query_tokenizer=lambda w: graph.tokenizer(w.model, QUERIES),
        stand_ins=lambda w: graph.stand_ins(w.model),
    output:
        f"{RESULTS}/models/{{model}}/manifest.json",
    log:
        f"{RESULTS}/logs/released/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/released/{{model}}.jsonl"
    wildcard_constraints:
        model=one_of(graph.with_recipe("released")),
    priority: lambda w: graph.waiting(w.model)
    conda:
        ENVIRONMENT
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        settings=lambda w: graph.model_settings(w.model),
        code=fingerprint("released"),
    shell:
        "python scripts/released.py --settings {params.settings:q} --code {params.code} --tokenizer {input.tokenizer:q}"
        " --query_tokenizer {input.query_tokenizer:q} --output {output:q} &> {log:q}"
