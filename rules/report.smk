"""The page that shows what came out."""


rule report:
    input:
        tables=[graph.table(name)[0] for name in graph.study.tables],
        scores=graph.all_scores,
        comparisons=[graph.comparisons(name) for name in graph.study.tables],
        models=graph.all_models,
        analyses=graph.all_analyses,
    output:
        report(f"{RESULTS}/report.html", category="Report"),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        settings=lambda w: in_words(graph.report_settings()),
        code=fingerprint("report"),
    shell:
        f"python {SCRIPTS}/report.py --settings {{params.settings:q}} --output {{output:q}} &> {{log:q}}"
