import small_study as small

from dewpoint.report.lineage import environment, follow, stages


def test_follows_inputs_and_nothing_else(tmp_path):
    out = tmp_path / "out"
    model = small.write(out / "models" / "m" / "manifest.json", {"recipe": "retriever"}, inputs=[out / "gone.json"])
    foreign = small.write(tmp_path / "data" / "docs" / "manifest.json")
    run = small.write(out / "runs" / "m" / "docs.test.json", inputs=[model, foreign])
    score = small.write(out / "scores" / "m" / "docs.test.json", inputs=[run, tmp_path / "own.csv"])
    small.write(out / "runs" / "old" / "docs.test.json")
    made = [(one.stage, one.name) for one in follow([score, score], out)]
    assert made == [("scores", "scores/m/docs.test"), ("runs", "runs/m/docs.test"), ("retriever", "models/m")]


def test_stages_sum_time_and_come_in_the_order_of_the_work(tmp_path):
    score = small.write(tmp_path / "scores" / "a.json", seconds=1)
    runs = [small.write(tmp_path / "runs" / f"{i}.json", seconds=2.5) for i in range(3)]
    model = small.write(tmp_path / "models" / "m" / "manifest.json", {"recipe": "a-new-one"}, seconds=9)
    found = stages(follow([score, *runs, model], tmp_path))
    assert [(stage.name, stage.seconds, len(stage.made)) for stage in found] == [
        ("a-new-one", 9, 1),
        ("runs", 7.5, 3),
        ("scores", 1, 1),
    ]


def test_environment_says_each_value_once(tmp_path):
    runs = [small.write(tmp_path / "runs" / f"{i}.json", {"seed": seed}) for i, seed in enumerate((4, 4, 5))]
    found = environment(follow(runs, tmp_path))
    assert found["seed"] == ["4", "5"] and found["device"] == ["a small device"]
    assert found["finished"] == ["2031-01-02 03:04"]
