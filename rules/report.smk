"""The page that shows what came out."""


rule report:
    input:
        tables=[graph.table(name)[0] for name in graph.study.tables],
        scores=graph.all_scores,
        comparisons=[graph.comparisons(name) for name in graph.study.tables],
        explored=[path for name in graph.study.tables for path in graph.explored(name)],
        models=graph.all_models,
        analyses=graph.all_analyses,
    output:
        html=report(
            f"{RESULTS}/report.html",
            caption="captions/page.rst",
            category="Page",
            labels={"study": Path(RESULTS).name},
        ),
        manifest=f"{RESULTS}/report.json",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.jsonl"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        settings=lambda w: in_words(graph.report_settings()),
        code=lambda w: fingerprint("report"),
        command=lambda w: graph.command,
    shell:
        f"{LOGGED} python {SCRIPTS}/report.py --settings {{params.settings:q}} --code {{params.code}} --other {{input:q}}"
        f" --results {quoted(RESULTS)} --data {quoted(DATA)}"
        " --command {params.command:q} --output {output.manifest:q}"
