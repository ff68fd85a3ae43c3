"""Print the JSON schema of a study or of config.yaml, for editors."""

import argparse
import json

from dewpoint.study.grammar import Config, schema


def config_schema() -> dict:
    return Config.model_json_schema() | {"title": "Dewpoint config"}


SCHEMAS = {"study": schema, "config": config_schema}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("of", choices=SCHEMAS)
    print(json.dumps(SCHEMAS[parser.parse_args().of](), indent=1, ensure_ascii=False))
