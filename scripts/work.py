"""Run one stage of one kind: what its module's function does.

python scripts/work.py rankers.bm25 index --dataset data/pydocs/manifest.json --output /tmp/x/manifest.json --settings \
    '{"b": 0.4, "k1": 0.9, "stemmer": "porter", "stop_words": "english", "title": true, "words": "standard"}'
"""

import sys
from importlib import import_module

from dewpoint.program import launch, run

# may be given to any; those that a function does not take are passed over
OPTIONS = ("chunk", "checkpoint", "threads", "gpus", "nodes")

if __name__ == "__main__":
    module, function = sys.argv[1:3]
    main = getattr(import_module(f"dewpoint.{module}"), function)
    launch(main, sys.argv[3:])
    run(main, sys.argv[3:], OPTIONS)
