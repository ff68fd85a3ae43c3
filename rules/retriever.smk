"""Fine-tuning: a pre-trained model becomes a retriever."""


rule retriever:
    input:
        unpack(trained_on),
        negatives=f"{RESULTS}/negatives/{{model}}.json",
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
        " --tokens {input.tokens:q} --tokenizer {input.tokenizer:q} --negatives {input.negatives:q}"
        f" --parent {{input.parent:q}} {MEMORY} --output {{output:q}} &> {{log:q}}"
