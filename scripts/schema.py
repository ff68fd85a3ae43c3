"""Print the JSON schema of a study, for editors."""

import json

from dewpoint.study.grammar import schema

if __name__ == "__main__":
    print(json.dumps(schema(), indent=1, ensure_ascii=False))
