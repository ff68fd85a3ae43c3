"""What the benchmarks share: running the project's programs, and printing figures."""

import json
import os
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).parents[1]


def say(name: str, value: float, goal: float, unit: str = "", most: bool = False) -> None:
    met = value <= goal if most else value >= goal
    shown = f"{value:.2f} {unit}" if unit else f"{value:.4f}"
    print(f"{name}: {shown}, goal {'≤' if most else '≥'} {goal:g}, {'ok' if met else 'short'}", flush=True)


def program(name: str, output: Path, settings: dict, **options) -> dict:
    """Run scripts/<name>.py unless its artifact is there and was made with these settings; the manifest's record."""
    if not output.exists() or json.loads(output.read_text())["settings"] != settings:
        words = []
        for key, value in options.items():
            words += [f"--{key}", *(map(str, value) if isinstance(value, list) else [str(value)])]
        command = [sys.executable, HOME / "scripts" / f"{name}.py", "--settings", json.dumps(settings), *words]
        subprocess.run([*command, "--output", output], check=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    return json.loads(output.read_text())
