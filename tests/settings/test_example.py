"""config/clustersight.yaml is complete, valid, and shows the defaults."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import BaseModel

from clustersight.known import KNOWN
from clustersight.settings.file import load
from clustersight.settings.model import ChannelSettings, ClusterSettings, Settings
from clustersight.yaml_tree import read_tree

EXAMPLE = Path(str(files("config") / "clustersight.yaml"))
ENVIRON = {"CLICKHOUSE_PASSWORD": "x"}


@pytest.fixture(scope="module")
def data():
    return read_tree(EXAMPLE.read_text(encoding="utf-8")).data


def missing(model: type[BaseModel], data: object) -> list[str]:
    """Return the keys of a model and of the models in it that a mapping lacks."""
    assert isinstance(data, dict), model
    absent = [f"{model.__name__}.{name}" for name in model.model_fields if name not in data]
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            absent += missing(field.annotation, data.get(name, {}))
    return absent


def test_every_key_of_the_models_is_in_it(data):
    assert missing(Settings, data) == []
    assert missing(ClusterSettings, data["clusters"][0]) == []
    assert missing(ChannelSettings, data["notify"]["channels"][0]) == []


def test_what_it_shows_are_the_defaults():
    settings = load(EXAMPLE, ENVIRON, KNOWN).settings
    cluster = settings.clusters[0]
    default = ClusterSettings(name=cluster.name, host=cluster.host, port=cluster.port, password="x")
    assert cluster == default
    (channel,) = settings.notify.channels
    assert channel == ChannelSettings(name="slack", kind=channel.kind)
    notify = settings.notify.model_copy(update={"channels": ()})
    assert settings.model_copy(update={"clusters": (), "notify": notify}) == Settings()


def test_it_loads_without_a_warning():
    assert load(EXAMPLE, ENVIRON).warnings == ()
