"""Good configuration files, secrets, and the environment."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from clustersight.duration import format_duration, parse_duration
from clustersight.problem import SettingsError
from clustersight.settings.expansion import expand
from clustersight.settings.fields import Known
from clustersight.settings.file import load, state_folder
from clustersight.settings.model import ClusterSettings, Protocol, Settings

CLUSTER = "clusters:\n  - name: a\n    host: h\n    port: 8123\n"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null", "log:\nclusters:\n", "\ufefflog: {}"])
def test_an_empty_file_is_all_defaults(text, config):
    assert config.load(text).settings == Settings()


def test_without_a_file_there_are_defaults_and_the_environment():
    loaded = load(None, {"CACHE_TTL": "5"})
    assert loaded.source is None
    assert loaded.settings.api.cache_ttl_sec == 5


def test_the_environment_names_the_file_and_an_argument_wins(config):
    config.path.write_text("collection: {workers: 3}")
    other = config.write("other.yaml", "collection: {workers: 4}")
    environ = {"CLUSTERSIGHT_CONFIG": str(config.path)}
    assert load(None, environ).settings.collection.workers == 3
    assert load(other, environ).settings.collection.workers == 4


@pytest.mark.parametrize(
    ("port", "protocol", "secure"),
    [
        (8123, "http", False),
        (8443, "http", True),
        (443, "http", True),
        (9000, "native", False),
        (9440, "native", True),
    ],
)
def test_the_port_tells_protocol_and_tls(port, protocol, secure):
    cluster = ClusterSettings(name="a", host="h", port=port)
    assert (cluster.protocol, cluster.secure) == (protocol, secure)


def test_what_is_given_wins_over_what_is_derived():
    cluster = ClusterSettings(name="a", host="h", port=9440, protocol=Protocol.HTTP, secure=False)
    assert (cluster.protocol, cluster.secure) == (Protocol.HTTP, False)


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Settings().collection.workers = 3


@pytest.mark.parametrize(
    ("text", "environ", "result"),
    [
        ("a$$b", {}, "a$b"),
        ("$${X}", {"X": "1"}, "${X}"),
        ("a$b", {}, "a$b"),
        ("${X}${X}", {"X": "1"}, "11"),
        ("${X}", {"X": "${Y} $$"}, "${Y} $$"),
        ("${X}", {"X": ""}, ""),
        ("${X:-d}", {}, "d"),
        ("${X:-d}", {"X": ""}, "d"),
        ("${X:-d}", {"X": "v"}, "v"),
        ("${X:-}", {}, ""),
        ("${X:-http://h:1/$p}", {}, "http://h:1/$p"),
    ],
)
def test_expansion(text, environ, result):
    assert expand(text, environ) == result


def test_an_expanded_number_is_a_number_and_an_expanded_password_stays_text(config):
    text = "clusters: [{name: a, host: h, port: '${P}', password: '${W}'}]\ncollection:\n  tier2: ${T}"
    settings = config.load(text, P="9000", W="0123", T="off").settings
    assert settings.clusters[0].port == 9000
    assert settings.clusters[0].password.get_secret_value() == "0123"
    assert settings.collection.tier2 is False


def test_paths_are_relative_to_the_file(config):
    config.write("ca.pem", "x")
    settings = config.load(
        f"{CLUSTER}    ca_cert: ca.pem\nrules: {{paths: [rules]}}\ndata_dir: state"
    ).settings
    assert settings.clusters[0].ca_cert == config.folder / "ca.pem"
    assert settings.rules.paths == (config.folder / "rules",)
    assert settings.data_dir == config.folder / "state"


def test_a_secret_file_gives_the_secret_without_its_newline_only(config):
    config.write("s", " pass word \n")
    settings = config.load(f"{CLUSTER}    password_file: s\nhistory: {{password_file: s}}").settings
    assert settings.clusters[0].password.get_secret_value() == " pass word "
    assert settings.history.password.get_secret_value() == " pass word "


def test_a_channel_with_an_empty_url_is_off(config):
    text = "notify: {channels: [{name: slack, kind: slack, url: '${U:-}'}]}"
    assert not config.load(text).settings.notify.channels[0].is_on
    assert config.load(text, U="https://hooks.example/x").settings.notify.channels[0].is_on


SECRETS = """
clusters: [{name: a, host: h, port: 8123, password: hunter2}]
api: {password: hunter2}
alerter: {heartbeat_url: "https://hc.example/hunter2"}
store: {url: "postgresql+psycopg://u:hunter2@h/d", secret_key: hunter2hunter2hunter2hunter2hunter2}
history: {password: hunter2, headers: {Authorization: hunter2}}
notify: {channels: [{name: x, kind: webhook, url: "https://x.example/hunter2", headers: {X-Token: hunter2}}]}
"""


def test_secrets_are_in_no_repr_and_no_json(config):
    loaded = config.load(SECRETS)
    settings = loaded.settings
    shown = [repr(loaded), str(settings), repr(settings.clusters), settings.model_dump_json()]
    shown += [json.dumps(settings.model_dump(mode="json")), str(loaded.warnings)]
    assert "hunter2" not in "".join(shown)
    assert settings.clusters[0].password.get_secret_value() == "hunter2"


def test_a_validation_error_of_the_models_shows_no_input():
    with pytest.raises(ValueError) as caught:
        ClusterSettings(name="a", host="h", port="hunter2", password=["hunter2"])
    assert "hunter2" not in str(caught.value)


def test_literal_secrets_are_warned_of_with_place_and_remedy(config):
    warnings = [str(warning).replace(f"{config.folder}/", "") for warning in config.load(SECRETS).warnings]
    places = {warning.split(": ")[0] for warning in warnings}
    assert places == {f"c.yaml:{place}" for place in (
        "2:53", "3:17", "4:26", "5:14", "5:64", "6:21", "6:55", "7:51", "7:99",
    )}  # fmt: skip
    assert "password_file" in warnings[0]


def test_secrets_from_elsewhere_and_plain_headers_are_not_warned_of(config):
    config.write("s", "x")
    text = (
        f"{CLUSTER}    password: ${{P}}\nhistory: {{headers: {{X-Scope-OrgID: t}}, password_file: s}}\n"
        f"store: {{url: 'postgresql+psycopg://h/d', secret_key: '${{K}}'}}\napi: {{password: literal}}"
    )
    assert config.load(text, P="x", K="k" * 32, CLUSTERSIGHT_PASSWORD="y").warnings == ()


def test_named_variables_win_over_the_file(config):
    text = f"api: {{password: file, cache_ttl_sec: 1}}\nstore: {{secret_key: {'a' * 32}}}\ndata_dir: x"
    settings = config.load(
        text,
        CLUSTERSIGHT_PASSWORD="env",
        CLUSTERSIGHT_DATA_DIR="/state",
        CLUSTERSIGHT_STORE_URL="postgresql+psycopg://h/d",
        CLUSTERSIGHT_SECRET_KEY="b" * 32,
        CACHE_TTL="7",
    ).settings
    assert settings.api.password.get_secret_value() == "env"
    assert settings.data_dir == Path("/state")
    assert settings.store.url.get_secret_value() == "postgresql+psycopg://h/d"
    assert settings.store.secret_key.get_secret_value() == "b" * 32
    assert settings.api.cache_ttl_sec == 7


def test_an_empty_named_variable_is_unset(config):
    assert config.load("api: {password: file}", CLUSTERSIGHT_PASSWORD="").settings.api.password is not None


def test_a_secret_of_the_environment_replaces_the_file_of_the_file(config):
    text = "api: {password_file: missing}"
    settings = config.load(text, CLUSTERSIGHT_PASSWORD="env").settings
    assert settings.api.password.get_secret_value() == "env"
    config.write("s", "from-file")
    path = str(config.folder / "s")
    settings = config.load("api: {password: x}", CLUSTERSIGHT__API__PASSWORD_FILE=path).settings
    assert settings.api.password.get_secret_value() == "from-file"


@pytest.mark.parametrize(
    ("name", "text", "way", "value"),
    [
        ("COLLECTION__INTERVAL_SEC", "60", "collection.interval_sec", 60),
        ("COLLECTION__TIER1", "false", "collection.tier1", False),
        ("LOG__LEVEL", "debug", "log.level", "debug"),
        ("NOTIFY__MAX_AGE", "1h", "notify.max_age", parse_duration("1h")),
        ("GRAFANA__URL", "null", "grafana.url", None),
        ("RULES__PATHS", "[/a, /b]", "rules.paths", (Path("/a"), Path("/b"))),
        ("HEALTH__WEIGHTS__ERRORS", "7", "health.weights.errors", 7),
        ("DATA_DIR", "/d", "data_dir", Path("/d")),
    ],
)
def test_any_setting_is_a_variable_that_wins(name, text, way, value, config):
    found = config.load(
        "collection: {interval_sec: 10}\ngrafana: {url: 'https://g.example'}",
        **{f"CLUSTERSIGHT__{name}": text},
    ).settings
    for key in way.split("."):
        found = getattr(found, key)
    assert found == value


@pytest.mark.parametrize("text", ["[x", "12", "null", "{a", "a: b", "'q'"])
def test_a_secret_variable_is_taken_as_it_stands(text):
    settings = load(None, {"CLUSTERSIGHT__HISTORY__PASSWORD": text}).settings
    assert settings.history.password.get_secret_value() == text


def test_a_relative_path_of_the_environment_starts_at_the_working_directory(config, monkeypatch, tmp_path):
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert config.load("", CLUSTERSIGHT_DATA_DIR="state").settings.data_dir == elsewhere / "state"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("CLUSTERSIGHT__COLLECTION__WORKERS", "x", "collection.workers: must be a number from 1 to 1000"),
        ("CLUSTERSIGHT__COLECTION__WORKERS", "1", "unknown section 'colection'; did you mean 'collection'"),
        ("CLUSTERSIGHT__COLLECTION__WORKER", "1", "collection: unknown key 'worker'; did you mean 'workers'"),
        ("CLUSTERSIGHT__", "1", "unknown key ''"),
        ("CLUSTERSIGHT__RULES__PATHS", "[x", "rules.paths: is not YAML"),
        ("CLUSTERSIGHT__LOG", "text", "log: must be a mapping"),
        ("CACHE_TTL", "-1", "api.cache_ttl_sec: must be a number from 0"),
        ("CLUSTERSIGHT_SECRET_KEY", "short", "store.secret_key: must have at least 32"),
        ("CLUSTERSIGHT_SLACK_WEBHOOK_URL", "hunter2", "notify.channels[0].url: must be a URL"),
        ("CLUSTERSIGHT__API__PASSWORD_FILE", "/nope", "api.password_file: names /nope"),
        ("CLUSTERSIGHT__EXPORTER__LISTEN", ":1", "exporter.listen: would listen on :1"),
    ],
)
def test_a_bad_variable_is_named_with_what_is_allowed(name, text, message, config):
    (problem,) = config.problems("log: {}", **{name: text})
    assert problem.startswith(f"environment {name}: {message}")


def test_variables_of_others_are_left_alone(config):
    # Kubernetes sets such for every service.
    config.load("", CLUSTERSIGHT_SERVICE_HOST="10.0.0.1", CLUSTERSIGHT_PORT="tcp://10.0.0.1:9116")


def test_the_slack_variable_sets_or_makes_the_channel_slack(config):
    url = "https://hooks.example/T"
    made = config.load("", CLUSTERSIGHT_SLACK_WEBHOOK_URL=url).settings.notify.channels
    text = (
        "notify: {channels: [{name: slack, kind: slack, url_file: nope, match: {severity: critical}}, "
        "{name: e, kind: webhook}]}"
    )
    kept = config.load(text, CLUSTERSIGHT_SLACK_WEBHOOK_URL=url).settings.notify.channels
    assert [(item.name, item.kind, item.is_on) for item in made] == [("slack", "slack", True)]
    assert [(item.name, item.is_on, item.match.severity) for item in kept] == [
        ("slack", True, ("critical",)),
        ("e", False, ()),
    ]


@pytest.mark.parametrize("text", ["notify: text", "notify: {channels: text}", "notify: {channels: [text]}"])
def test_the_slack_variable_does_not_hide_what_is_wrong_in_the_file(text, config):
    (problem,) = config.problems(text, CLUSTERSIGHT_SLACK_WEBHOOK_URL="https://hooks.example/T")
    assert problem.startswith("c.yaml:1:")
    assert "must be a " in problem


def test_a_listener_beyond_loopback_is_accepted_with_a_password_or_allow_open(config):
    text = "api: {listen: ':1'}\nexporter: {listen: ':2', allow_open: true}"
    assert config.load(text, CLUSTERSIGHT_PASSWORD="x").settings.api.listen.port == 1


def test_state_folder(config):
    settings = Settings()
    assert state_folder(settings, {"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/clustersight")
    assert state_folder(settings, {"XDG_STATE_HOME": "s", "HOME": "/h"}) == Path(
        "/h/.local/state/clustersight"
    )
    assert state_folder(Settings(data_dir=Path("/d")), {}) == Path("/d")


@pytest.mark.parametrize("text", ["90s", "1h30m", "1d", "1w", "2y", "500ms", "0"])
def test_durations_are_read_back(text):
    duration = parse_duration(text)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "1", "-1s", "1m1h", "1.5h", "1 h", "999999999y", "1s\n"])
def test_bad_durations_are_refused(text):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


PIECES = st.sampled_from(
    [
        "clusters:", "log:", "name", "port: ", "- ", "\n", "\n  ", "\n    ", "${", "${A}", "${B:-", "}", "$$",
        "[", "]", "{", "}", ": ", "&a ", "*a", "!!int ", "!x ", "<<: ", "'", '"', "|\n", "0x_", "-_", "1:2",
        "? ", ".inf", "notify: {channels: [{name: x}]}", "exporter: {listen: ", "store: {url: ", "\0", "\x85",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(string.printable, max_size=4))).map("".join))


@given(text=TEXTS, value=st.text())
@example(text="!!int", value="")
@example(text="a: !!float ''", value="\ud800")
@hypothesis_settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_the_text_only_a_settings_error_is_raised(text, value, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    environ = {"A": value, "CLUSTERSIGHT__RULES__PATHS": value, "CLUSTERSIGHT_STORE_URL": value}
    try:
        load(path, environ, Known(panels={"parts"}))
        problems = []
    except SettingsError as error:
        problems = [*error.problems]
        event("refused")
    assert all(problem.source == str(path) or " CLUSTERSIGHT_" in problem.source for problem in problems)
