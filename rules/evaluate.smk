"""Scores of runs, and the tables that they fill."""


rule evaluate:
    input:
        unpack(lambda w: graph.evaluate_inputs(w.ranker, w.dataset, w.split)),
    output:
        f"{RESULTS}/scores/{{ranker}}/{{dataset}}.{{split}}.json",
    log:
        f"{RESULTS}/logs/evaluate/{{ranker}}/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{ranker}}/{{dataset}}.{{split}}.jsonl"
    wildcard_constraints:
        ranker=one_of(graph.measured(examples=False)),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        settings=lambda w: graph.evaluate_settings(w.ranker, w.dataset, w.split),
        code=lambda w: fingerprint("evaluate"),
    shell:
        f"{LOGGED} python {SCRIPTS}/evaluate.py --settings {{params.settings:q}} --code {{params.code}} --dataset {{input.dataset:q}}"
        " --run {input.run:q} --exact {input.exact:q} --latency {input.latency:q} --output {output:q}"


rule evaluate_examples:
    input:
        dataset=f"{DATA}/{{dataset}}/manifest.json",
        run=f"{RESULTS}/runs/{{ranker}}/{{dataset}}.{{split}}.json",
    output:
        f"{RESULTS}/scores/{{ranker}}/{{dataset}}.{{split}}.json",
    log:
        f"{RESULTS}/logs/evaluate/{{ranker}}/{{dataset}}.{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{ranker}}/{{dataset}}.{{split}}.jsonl"
    wildcard_constraints:
        ranker=one_of(graph.measured(examples=True)),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        settings=lambda w: graph.evaluate_settings(w.ranker, w.dataset, w.split),
        code=lambda w: fingerprint("evaluate_examples"),
    shell:
        f"{LOGGED} python {SCRIPTS}/evaluate_examples.py --settings {{params.settings:q}} --code {{params.code}}"
        " --dataset {input.dataset:q} --run {input.run:q} --output {output:q}"


rule cost:
    input:
        unpack(lambda w: graph.cost_inputs(w.ranker, w.dataset)),
    output:
        f"{RESULTS}/scores/{{ranker}}/{{dataset}}.json",
    log:
        f"{RESULTS}/logs/cost/{{ranker}}/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cost/{{ranker}}/{{dataset}}.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings="{}",
        code=lambda w: fingerprint("cost"),
    shell:
        f"{LOGGED} python {SCRIPTS}/cost.py --settings {{params.settings:q}} --code {{params.code}} --models {{input.models:q}}"
        " --vectors {input.vectors:q} --derived {input.derived:q} --indexes {input.indexes:q} --output {output:q}"


rule compare:
    input:
        scores=lambda w: graph.table_scores(w.table),
    output:
        f"{RESULTS}/comparisons/{{table}}.json",
    log:
        f"{RESULTS}/logs/compare/{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare/{{table}}.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        settings=lambda w: in_words(graph.compare_settings(w.table)),
        code=lambda w: fingerprint("compare"),
    shell:
        f"{LOGGED} python {SCRIPTS}/compare.py --settings {{params.settings:q}} --code {{params.code}} --scores {{input.scores:q}}"
        " --output {output:q}"


rule explore:
    input:
        unpack(lambda w: graph.explore_inputs(w.table)),
    output:
        f"{RESULTS}/comparisons/queries+{{table}}.json",
    log:
        f"{RESULTS}/logs/explore/{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/explore/{{table}}.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        settings=lambda w: in_words(graph.explore_settings(w.table)),
        code=lambda w: fingerprint("explore"),
    shell:
        f"{LOGGED} python {SCRIPTS}/explore.py --settings {{params.settings:q}} --code {{params.code}}"
        " --datasets {input.datasets:q} --runs {input.runs:q} --scores {input.scores:q} --output {output:q}"


rule table:
    input:
        scores=lambda w: graph.table_scores(w.table),
        comparison=lambda w: graph.comparisons(w.table),
        turns=lambda w: graph.table_turns(w.table),
        costs=lambda w: graph.table_costs(w.table),
    output:
        csv=report(
            f"{RESULTS}/tables/{{table}}.csv",
            caption="captions/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        md=f"{RESULTS}/tables/{{table}}.md",
        tex=f"{RESULTS}/tables/{{table}}.tex",
        manifest=f"{RESULTS}/tables/{{table}}.json",
    log:
        f"{RESULTS}/logs/table/{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/table/{{table}}.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        settings=lambda w: in_words(graph.table_settings(w.table)),
        code=lambda w: fingerprint("table"),
    shell:
        f"{LOGGED} python {SCRIPTS}/table.py --settings {{params.settings:q}} --code {{params.code}} --scores {{input.scores:q}}"
        " --comparison {input.comparison:q} --turns {input.turns:q} --costs {input.costs:q} --output {output.manifest:q}"
