"""One corpus gives one vocabulary, whatever the process."""

import subprocess
import sys

import pytest

from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.errors import UserError
from programs import SCRIPTS

LEARN = """
import json, random
from dewpoint.data.tokenizer import train_wordpiece
random.seed(0)
letters = "abcdefghij\\u00e9\\u65e5\\u672c"
texts = [" ".join("".join(random.choices(letters, k=random.randint(2, 6))) for _ in range(20)) for _ in range(50)]
print(json.dumps(train_wordpiece(lambda: iter([texts]), 200).get_vocab(), sort_keys=True))
"""


def learn(seed: str) -> str:
    environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(SCRIPTS), "RAYON_NUM_THREADS": seed}
    done = subprocess.run([sys.executable, "-c", LEARN], capture_output=True, text=True, env=environment, check=True)
    return done.stdout


def test_two_processes_learn_the_same_vocabulary():
    first, second = learn("1"), learn("2")
    assert first == second
    assert '"[MASK]": 4' in first


def test_no_tokenizer_in_a_folder(tmp_path):
    with pytest.raises(UserError, match=f"^{tmp_path}: has no tokenizer.json"):
        load_tokenizer(tmp_path)
