"""The page that shows what came out."""


rule report:
    input:
        tables=[graph.table(name)[0] for name in graph.study.tables],
        scores=graph.all_scores,
        models=graph.all_models,
    output:
        report(f"{RESULTS}/report.html", category="Report"),
    params:
        settings=graph.report_settings(),
        code=fingerprint("report"),
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.jsonl"
    resources:
        mem_mb=2000,
        runtime=10,
    conda:
        ENVIRONMENT
    shell:
        "python scripts/report.py --settings {params.settings:q} --output {output:q} &> {log:q}"
