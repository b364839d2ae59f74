"""Bad configuration files: each line of input, the one line of output that it must give."""

from __future__ import annotations

import pytest

from clustersight.problem import SettingsError
from clustersight.settings.file import load

CLUSTER = "clusters:\n  - name: a\n    host: h\n    port: 8123\n"

# (text, start of the only problem, a part of it that tells what to do)
BAD = {
    "wrong type": (
        "collection: {workers: many}",
        "c.yaml:1:23: collection.workers: ",
        "number from 1 to 1000",
    ),
    "true is no number": ("collection: {workers: yes}", "c.yaml:1:23: ", "number"),
    "too small": ("collection:\n  interval_sec: 4", "c.yaml:2:17: collection.interval_sec: ", "5 to 3600"),
    "too large": ("collection:\n  interval_sec: 3601", "c.yaml:2:17: ", "5 to 3600"),
    "infinite": ("collection:\n  timeout_sec: .inf", "c.yaml:2:16: ", "number from"),
    "zero timeout": ("collection: {timeout_sec: 0}", "c.yaml:1:27: ", "number from"),
    "no boolean": ("rules: {builtin: maybe}", "c.yaml:1:18: rules.builtin: ", "true or false"),
    "unknown section": ("colection: {}", "c.yaml:1:1: unknown key 'colection'", "mean 'collection'"),
    "unknown key": ("log:\n  levle: info", "c.yaml:2:3: log: unknown key 'levle'", "allowed: format, level"),
    "not one of": ("log: {level: loud}", "c.yaml:1:14: log.level: ", "'debug', 'info'"),
    "duplicate key": ("log:\n  level: info\n  level: info", "c.yaml:3:3: log.level: ", "repeats line 2"),
    "duplicate section": ("log: {}\napi: {}\nlog: {}", "c.yaml:3:1: log: ", "repeats line 1"),
    "unset variable": ("data_dir: /x/${NOPE}", "c.yaml:1:11: data_dir: ${NOPE} is not set", "${NOPE:-"),
    "broken variable": ("data_dir: ${NOPE", "c.yaml:1:11: data_dir: ", "$${"),
    "nested variable": ("data_dir: ${A:-${B}}", "c.yaml:1:11: data_dir: ", "${VAR:-default}"),
    "syntax": ("log: {level: info\napi: 1", "c.yaml:2:", "is not YAML"),
    "tab": ("log:\n\tlevel: info", "c.yaml:2:1: ", "is not YAML"),
    "two documents": ("a: 1\n---\nb: 2", "c.yaml:", "is not YAML"),
    "a list at the top": ("- log", "c.yaml:1:1: ", "mapping"),
    "a word at the top": ("log", "c.yaml:1:1: ", "mapping"),
    "no mapping": ("log: text", "c.yaml:1:6: log: ", "mapping"),
    "no list": ("clusters: {a: b}", "c.yaml:1:11: clusters: ", "list"),
    "merge key": (f"{CLUSTER}    <<: {{}}", "c.yaml:5:5: ", "repeat the keys"),
    "unknown tag": ("data_dir: !!python/name:os.system x", "c.yaml:1:11: ", "tag"),
    "tagged nothing": ("log: {level: !!int ''}", "c.yaml:1:14: log.level: ", "is no int"),
    "tagged word": ("log: {level: !!bool maybe}", "c.yaml:1:14: log.level: ", "is no bool"),
    "impossible number": (f"collection: {{workers: {'9' * 5000}}}", "c.yaml:1:23: ", "is no int"),
    "text that is a number": (f"{CLUSTER}    username: 12", "c.yaml:5:15: ", "quotes"),
    "missing key": ("clusters:\n  - name: a\n    port: 8123", "c.yaml:2:5: clusters[0].host: ", "add it"),
    "port": ("clusters: [{name: a, host: h, port: 0}]", "c.yaml:1:37: ", "1 to 65535"),
    "port text": ("clusters: [{name: a, host: h, port: http}]", "c.yaml:1:37: ", "1 to 65535"),
    "port without protocol": (
        "clusters: [{name: a, host: h, port: 8124}]",
        "c.yaml:1:37: clusters[0].port: 8124 does not tell",
        "protocol: http",
    ),
    "cluster name": (f'{CLUSTER}  - {{name: "b\\n", host: i, port: 9000}}', "c.yaml:5:12: ", "line breaks"),
    "empty name": ("clusters: [{name: '', host: h, port: 9000}]", "c.yaml:1:19: ", "at least one"),
    "host with port": ("clusters: [{name: a, host: 'h:1x', port: 9000}]", "c.yaml:1:28: ", "`port`"),
    "same name": (
        f"{CLUSTER}  - {{name: a, host: i, port: 8123}}",
        "c.yaml:5:12: clusters[1].name",
        "unique",
    ),
    "same address": (f"{CLUSTER}  - {{name: b, host: H, port: 8123}}", "c.yaml:5:21: ", "clusters[0]"),
    "missing password_file": (f"{CLUSTER}    password_file: pw", "c.yaml:5:20: ", "not a readable file"),
    "missing ca": (f"{CLUSTER}    ca_cert: ca.pem", "c.yaml:5:14: ", "relative paths start"),
    "certificate alone": (f"{CLUSTER}    client_cert: c.yaml", "c.yaml:5:18: ", "client_key"),
    "keeper": (f"{CLUSTER}    keeper_nodes: [k1]", "c.yaml:5:20: clusters[0].keeper_nodes[0]", "HOST:PORT"),
    "readonly": (f"{CLUSTER}    expected_readonly: [t]", "c.yaml:5:25: ", "DATABASE.TABLE@REPLICA"),
    "label": (f"{CLUSTER}    labels: {{host: x}}", "c.yaml:5:13: clusters[0].labels", "'host'"),
    "panel": (f"{CLUSTER}    panels: {{pats: {{}}}}", "c.yaml:5:14: clusters[0].panels.pats", "mean 'parts'"),
    "panel key": (f"{CLUSTER}    panels: {{parts: {{on: 1}}}}", "c.yaml:5:22: ", "enabled, timeout_sec"),
    "short key": ("store: {secret_key: short}", "c.yaml:1:21: store.secret_key: ", "32 characters"),
    "shared store": ("store: {url: 'postgresql+psycopg://h/d'}", "c.yaml:1:14: ", "CLUSTERSIGHT_SECRET_KEY"),
    "other database": ("store: {url: 'postgresql://h/d'}", "c.yaml:1:14: ", "postgresql+psycopg"),
    "duration": ("notify: {max_age: 1 day}", "c.yaml:1:19: ", "1h30m"),
    "no duration": ("notify: {max_age: 0s}", "c.yaml:1:19: ", "longer"),
    "prometheus password": ("history: {prometheus_url: 'http://u:p@x'}", "c.yaml:1:27: ", "password"),
    "no url": ("grafana: {url: grafana}", "c.yaml:1:16: ", "https://"),
    "weights": (
        "health: {weights: {replication: 0, storage: 0, errors: 0, infrastructure: 0, queries: 0}}",
        "c.yaml:1:19: health.weights: ",
        "at least one",
    ),
    "threshold": ("health: {thresholds: {disk: [[90, 0], [80, 1]]}}", "c.yaml:1:29: ", "rising"),
    "listen": ("exporter: {listen: 9116}", "c.yaml:1:20: ", "127.0.0.1:9116"),
    "wide open": (
        "exporter:\n  listen: :9116",
        "c.yaml:2:11: exporter.listen: ",
        "exporter.allow_open: true",
    ),
    "wide open api": ("api: {listen: '0.0.0.0:1'}", "c.yaml:1:15: ", "CLUSTERSIGHT_PASSWORD"),
    "channel http": (
        "notify: {channels: [{name: x, kind: slack, url: 'http://a.example/T'}]}",
        "c.yaml:1:49: ",
        "notify.allow_private: true",
    ),
    "channel private": (
        "notify: {channels: [{name: x, kind: slack, url: 'https://10.0.0.1/T'}]}",
        "c.yaml:1:49: ",
        "private",
    ),
    "channel twice": (
        "notify: {channels: [{name: x, kind: slack}, {name: x, kind: slack}]}",
        "c.yaml:1:52: notify.channels[1].name",
        "unique",
    ),
    "channel kind": ("notify: {channels: [{name: x, kind: mail}]}", "c.yaml:1:37: ", "'slack' or 'webhook'"),
    "empty path": ("rules: {paths: ['']}", "c.yaml:1:17: rules.paths[0]: ", "path"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_gives_one_problem_with_its_place_and_the_remedy(case, config):
    text, start, remedy = BAD[case]
    problems = config.problems(text, panels={"parts", "queries"})
    assert len(problems) == 1, problems
    assert problems[0].startswith(start)
    assert remedy in problems[0]


def test_all_problems_are_reported_at_once_in_the_order_of_the_file(config):
    text = (
        "clusters:\n  - {name: a, host: h, port: 1234}\n  - {name: a, host: i, port: 0, passwrd: x}\n"
        "log: {level: '${NOPE}', format: xml}\nlog: {}\nexporter: {listen: ':1'}\n"
    )
    problems = config.problems(text, CLUSTERSIGHT__RETENTION__RAW_DAYS="0")
    places = [problem.split(": ")[0] for problem in problems]
    assert places == [
        "c.yaml:2:30", "c.yaml:3:12", "c.yaml:3:30", "c.yaml:3:33",
        "c.yaml:4:14", "c.yaml:4:33", "c.yaml:5:1", "c.yaml:6:20",
        "environment CLUSTERSIGHT__RETENTION__RAW_DAYS",
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["password", "url", "heartbeat_url", "secret_key"])
def test_a_secret_and_its_file_together_are_refused_at_the_file(key, config):
    config.write("s", "https://x.example/secret-of-more-than-32-characters\n")
    text = {
        "password": f"{CLUSTER}    password: x\n    password_file: s",
        "url": "notify:\n  channels:\n    - name: x\n      kind: slack\n"
        "      url: https://x.example\n      url_file: s",
        "heartbeat_url": "alerter:\n  heartbeat_url: https://x.example\n  heartbeat_url_file: s",
        "secret_key": f"store:\n  secret_key: {'k' * 32}\n  secret_key_file: s",
    }[key]
    (problem,) = config.problems(text)
    assert problem.startswith(f"c.yaml:{len(text.splitlines())}:")
    assert f"{key}_file too; keep one" in problem


@pytest.mark.parametrize(("content", "reason"), [(b"\n", "empty"), (b"\xff\xfe", "UTF-8")])
def test_a_secret_file_without_a_secret_is_refused(content, reason, config):
    (config.folder / "s").write_bytes(content)
    (problem,) = config.problems(f"{CLUSTER}    password_file: s")
    assert problem.startswith("c.yaml:5:20: ")
    assert reason in problem


@pytest.mark.parametrize("nesting", ["[" * 100_000, "a: " + "{b: " * 60 + "1" + "}" * 60, "a: &x [*x]"])
def test_endless_nesting_is_refused(nesting, config):
    assert "c.yaml:" in config.problems(nesting)[0]


def test_aliases_of_aliases_are_refused_before_they_fill_the_memory(config):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "too large" in config.problems("\n".join(lines))[0]


def test_a_missing_file_a_folder_and_bytes_are_one_problem_each(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff")
    for name in ("missing", ".", "bytes", "nul\0"):
        with pytest.raises(SettingsError) as caught:
            load(tmp_path / name, {})
        (problem,) = caught.value.problems
        assert (problem.line, problem.column) == (1, 1)
        assert "cannot be read" in problem.message


def test_no_problem_shows_a_secret(config):
    secret = "hunter2-" * 8
    text = (
        f"clusters: [{{name: a, host: h, port: x, password: {secret}, passwrd: {secret}}}]\n"
        f"store: {{url: 'ftp://{secret}', secret_key: '${{K}}'}}\n"
        f"history: {{password: [{secret}], headers: {{a: [{secret}]}}, prometheus_url: 'http://u:{secret}@x'}}\n"
        f"notify: {{channels: [{{name: x, kind: slack, url: '{secret}'}}]}}\n"
        f"alerter: {{heartbeat_url: '{secret}', listen: '${{K}}'}}\n"
        "grafana:\n  url: ${K}\nlog:\n  level: ${K}\n"
    )
    problems = config.problems(text, K=secret, CLUSTERSIGHT__COLLECTION__WORKERS=secret)
    assert len(problems) >= 10
    assert "hunter2" not in "\n".join(problems)


def test_a_syntax_error_does_not_quote_the_line(config):
    assert "hunter2" not in config.problems("api:\n  password: 'hunter2\n  listen: [")[0]
