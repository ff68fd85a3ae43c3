"""How far a study is, on one screen, until all is done or Ctrl-C; once, where the output is no terminal.

python scripts/watch.py studies/cocondenser.yaml

It reads files alone, so it may look at a study that a cluster makes on a shared disk, and writes nothing.
"""

import argparse
import shutil
import sys
import time

from dewpoint.program import by_hand
from dewpoint.study.graph import Graph
from dewpoint.study.jobs import jobs_of
from dewpoint.watched import screen

SECONDS = 2
CLEAR = "\x1b[H\x1b[2J"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", help="config.yaml's when left out")
    graph = Graph.of_config(parser.parse_args().study)
    jobs = jobs_of(graph)
    live = sys.stdout.isatty()
    while True:
        width = shutil.get_terminal_size().columns if live else 300
        print(CLEAR * live + screen(graph.config.study, jobs, width), flush=True)
        if not live or all(job.done for job in jobs):
            return 0
        time.sleep(SECONDS)


if __name__ == "__main__":
    by_hand(main)
