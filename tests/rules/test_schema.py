from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from clustersight.rules import schema
from clustersight.rules.fields import ANNOTATIONS, FILE, GROUP, RULE
from tests.rules.conftest import BAD, GOOD

# What only the loader can know, or what JSON has no words for: these a schema lets pass.
BEYOND_A_SCHEMA = (
    "unknown_metric", "unknown_label", "unknown_function", "unknown_variable", "template_", "raises_",
    "fix_", "inhibited_by_", "a_name_twice", "both_names", "sql_", "expr_", "resolve_threshold",
    "threshold_too_large",
    "label_of_the_metric", "key_twice", "duration_of_milliseconds", "interval_zero", "no_rule", "merge_key",
    "name_of_two_lines", "tag",
)  # fmt: skip
TYPED = {"both_expr", "inhibited_by_text", "sql_and_metric_key"}


@pytest.fixture(scope="module")
def valid():
    jsonschema = pytest.importorskip("jsonschema_rs", reason="comes with schemathesis")
    return jsonschema.Draft202012Validator(schema.schema()).is_valid


def read(path: Path):
    try:
        return yaml.safe_load(path.read_text())
    except yaml.YAMLError:
        return None


def test_the_file_is_what_is_made_of_the_tables():
    written = Path(__file__).parents[2] / "docs" / "rules.schema.json"
    assert written.read_text() == schema.text(), "run make generate"


def test_every_field_is_in_it():
    made = schema.schema()
    assert made["$schema"].endswith("2020-12/schema")
    places = (made, made["$defs"]["group"], made["$defs"]["rule"])
    for table, place in zip((FILE, GROUP, RULE), places, strict=True):
        assert list(place["properties"]) == [field.name for field in table.fields]
        assert place["additionalProperties"] is False
        assert all(one["description"] for one in place["properties"].values())
    annotations = made["$defs"]["rule"]["properties"]["annotations"]["properties"]
    assert list(annotations) == [field.name for field in ANNOTATIONS.fields]
    assert json.loads(schema.text()) == made


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_it_takes_good_files(valid, path):
    assert valid(read(path))


@pytest.mark.parametrize("path", [path for path in BAD if read(path) is not None], ids=lambda path: path.stem)
def test_it_refuses_bad_files_as_far_as_it_can(valid, path):
    data = read(path)
    beyond = path.stem.startswith(BEYOND_A_SCHEMA) and not path.stem.startswith(tuple(TYPED))
    assert valid(data) == beyond
