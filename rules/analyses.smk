"""Analyses: a rule for each kind, whose Parquet and figures the report shows."""

for kind, function, names in jobs("analyses", "work"):

    rule:
        name:
            f"analyse_{kind.tag()}"
        input:
            unpack(lambda w: graph.analysis_inputs(w.analysis)),
        output:
            report(
                f"{RESULTS}/analyses/{{analysis}}/manifest.json",
                caption="captions/analysis.rst",
                category="Analyses",
                labels={"analysis": "{analysis}"},
            ),
        log:
            f"{RESULTS}/logs/analyses/{{analysis}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/analyses/{{analysis}}.jsonl"
        wildcard_constraints:
            analysis=one_of(names),
        conda:
            environment(kind.resources.gpu)
        threads: threads_of(kind.resources)
        resources:
            **asked(kind.resources),
        params:
            **work(kind, function),
            settings=lambda w: in_words(graph.analysis_settings(w.analysis)),
            code=lambda w: fingerprint(*graph.study.analyses[w.analysis].roots("work")),
        shell:
            WORK
