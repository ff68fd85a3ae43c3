import small_study as small

from dewpoint.artifact import read_manifest, write_manifest
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


def test_a_stage_sums_gpu_hours_and_averages_tokens_over_the_time(tmp_path):
    """Of those that had a GPU, of all that shared it; tokens by the seconds that they took."""
    plain = small.write(tmp_path / "models/c/manifest.json", {"recipe": "mlm"}, {"devices": 4}, seconds=7200)
    paths = [plain]
    for name, rate, seconds, devices in (("a", 100, 30, 1), ("b", 400, 10, 2)):
        facts = {"tokens_per_second": rate, "training_seconds": seconds, "devices": devices}
        path = small.write(tmp_path / f"models/{name}/manifest.json", {"recipe": "mlm"}, facts, seconds=1800)
        record = read_manifest(path)
        record["run"]["gpu"] = {"names": ["one"] * devices}
        write_manifest(path, record)
        paths.append(path)
    (stage,) = stages(follow(paths, tmp_path))
    assert stage.gpu_hours == 0.5 + 2 * 0.5
    assert stage.tokens_per_second == (100 * 30 + 400 * 10) / 40
    (stage,) = stages(follow([plain], tmp_path))
    assert stage.tokens_per_second is None and stage.gpu_hours == 0
