"""What docs/configuration.md says around its tables."""

from __future__ import annotations

HEAD = """\
# Configuration: every key of clustersight.yaml

Made from the code by `make generate`; a test compares it. [The annotated
example](../config/clustersight.yaml) is the same as a file. Nothing is required: without a file, or without
clusters in it, the processes run and wait for clusters from the API.

```console
$ clustersight config check clustersight.yaml
$ clustersight config show clustersight.yaml
```

`check` names every problem at once, with line and column, and exits 1; `show` prints what is in effect,
without secrets, and which variables have changed it. An unknown key is an error, and so is a value out of
its bounds.

* Text may hold `${VAR}` (an error when unset), `${VAR:-default}`, and `$$` for a dollar sign.
* A secret is given as itself or as a file (`KEY_file`), not both. Written literally it is taken, with a
  warning.
* Relative paths start at the folder of the file; those of an environment variable at the working directory.
* A duration is `90s`, `15m`, `24h`, `7d`, or several together: `1h30m`.
* The environment wins over the file, and both win over what was set through the API. The API then answers
  409: what comes from a file is changed there.
* Settings that the API can change while the file is silent: collection.interval_sec, collection.tier1,
  collection.tier2, the three of retention, and the Slack webhook (the channel named `slack`).
"""

ENVIRONMENT = """
## The environment

Any setting that is not an item of a list is also `CLUSTERSIGHT__SECTION__KEY`, as the tables say. `null` or
an empty value is null; lists and mappings are written as YAML (`CLUSTERSIGHT__RULES__PATHS='[rules]'`), so
a whole list can be given (`CLUSTERSIGHT__CLUSTERS='[{name: a, host: ch1, port: 8123}]'`). These have names
of their own; empty, they count as unset:
"""

WEB = """
## web_config_file

Prometheus' own format, checked with the configuration; `$` is not expanded in it. What is taken:

| section | keys |
|---|---|
| `tls_server_config` | `cert_file`, `key_file`, `client_auth_type`, `client_ca_file` (PEM files) |
| | `min_version`, `max_version`: `TLS12` or `TLS13` |
| `basic_auth_users` | names with bcrypt hashes of cost 4 to 16, such as `htpasswd -nBC 10 USER` makes |
| `http_server_config` | `headers`, added to every answer; `http2` is accepted, and not spoken |

`client_auth_type` is `NoClientCert`, `VerifyClientCertIfGiven` or `RequireAndVerifyClientCert`; those that
ask for a certificate and check nothing are refused.
"""

RELOAD = """
## What a reload takes over

SIGHUP and `POST /-/reload` have a process read its file again, all or nothing: with a problem in it the
last good configuration stays, and the answer (or the log) says why. Rule files are read by the alerter.
What is given on the command line (`--listen`) wins over the file here too. A reload takes over everything
but:

| setting | what happens |
|---|---|
| `exporter.listen`, `alerter.listen`, `api.listen` | the address of the start stays until a restart |
| `*.web_config_file` that switches TLS on or off | the reload is refused (not for users, certificates) |
| `collection.workers` | as many as at the start until a restart |
| `store`, `data_dir` | exporter and alerter keep theirs, the api takes the new ones: restart all three |
| `log` | exporter and alerter keep theirs until a restart, the api takes it over |
| any environment variable | a running process has those of its start |

A reload that would leave the address of the start open to others without authentication is refused.
"""
