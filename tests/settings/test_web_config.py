from __future__ import annotations

import base64
import ssl
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest

from clustersight.problem import SettingsError
from clustersight.settings import web_config, web_users
from tests.settings.conftest import certificate

# Cost 4, the least, keeps the tests quick.
HASH = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
USERS = f"basic_auth_users:\n  alice: {HASH}\n"


def basic(name: str, password: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


@pytest.fixture
def web(config):
    return web_config.load(config.write("web.yml", USERS))


@pytest.fixture
def checks(monkeypatch):
    """Record the hashes that bcrypt was asked about."""
    asked = []
    real = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        asked.append(hashed)
        return real(password, hashed)

    monkeypatch.setattr(web_users.bcrypt, "checkpw", checkpw)
    return asked


def problems(config, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        web_config.load(config.write("web.yml", text))
    return str(caught.value).replace(f"{config.folder}/", "").splitlines()


@pytest.mark.parametrize(
    ("header", "right"),
    [
        (basic("alice", "right"), True),
        (basic("alice", "right", "bAsIc"), True),
        (basic("alice", "wrong"), False),
        (basic("alice", ""), False),
        (basic("bob", "right"), False),
        (basic("alice", "right\0"), False),
        (basic("alice", "x" * 5000), False),
        (None, False),
        ("", False),
        ("Basic", False),
        ("Basic !!!", False),
        ("Basic é", False),
        (f"Basic {base64.b64encode(b'alice').decode()}", False),
        ("Bearer right", False),
    ],
)
def test_only_the_right_pair_is_authorized(header, right, web):
    assert web.authorized(header) is right
    assert web.authorized(header) is right


def test_as_everywhere_bcrypt_reads_72_bytes(config):
    hashed = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    web = web_config.load(config.write("web.yml", f"basic_auth_users: {{alice: {hashed}}}"))
    assert web.authorized(basic("alice", "x" * 80))
    assert not web.authorized(basic("alice", "x" * 71))


def test_a_name_without_a_colon_is_not_an_empty_password(config):
    hashed = bcrypt.hashpw(b"", bcrypt.gensalt(4)).decode()
    web = web_config.load(config.write("web.yml", f"basic_auth_users: {{alice: {hashed}}}"))
    assert web.authorized(basic("alice", ""))
    assert not web.authorized(f"Basic {base64.b64encode(b'alice').decode()}")


def test_everybody_is_authorized_without_users(config):
    web = web_config.load(config.write("web.yml", ""))
    assert web.authorized(None)
    assert not web.authenticates


def test_a_verified_pair_is_remembered_and_a_wrong_one_is_not(web, checks):
    for _ in range(3):
        assert web.authorized(basic("alice", "right"))
    assert len(checks) == 1
    for _ in range(3):
        assert not web.authorized(basic("alice", "wrong"))
    assert len(checks) == 4


def test_what_is_remembered_is_the_whole_pair(config):
    text = f"basic_auth_users: {{ab: {HASH}}}"
    web = web_config.load(config.write("web.yml", text))
    assert web.authorized(basic("ab", "right"))
    assert not web.authorized(basic("a", "bright"))
    assert not web.authorized(basic("abr", "ight"))


def test_no_password_is_kept_in_the_memory_of_pairs(web):
    web.authorized(basic("alice", "right"))
    assert b"right" not in b"".join(web._users._right)


def test_the_memory_of_pairs_is_bounded(config, monkeypatch):
    monkeypatch.setattr(web_users, "_REMEMBERED", 2)
    text = "basic_auth_users:\n" + "".join(f"  u{n}: {HASH}\n" for n in range(5))
    web = web_config.load(config.write("web.yml", text))
    assert all(web.authorized(basic(f"u{n}", "right")) for n in range(5))
    assert len(web._users._right) == 2


def test_an_unknown_user_costs_one_check_like_a_known_one(web, checks):
    web.authorized(basic("alice", "wrong"))
    web.authorized(basic("nobody", "wrong"))
    assert Counter(checks) == {HASH.encode(): 2}


def test_threads_agree(web):
    barrier = threading.Barrier(8)

    def ask(number: int) -> bool:
        barrier.wait()
        return all(web.authorized(basic("alice", "right")) for _ in range(20)) and not web.authorized(
            basic("alice", f"wrong{number}")
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))


PAIR = "cert_file: good.crt, key_file: good.key"
REQUIRE = "client_auth_type: RequireAndVerifyClientCert"
BAD = {
    "unknown section": (
        "tls_config: {}",
        "web.yml:1:1: unknown key 'tls_config'",
        "mean 'tls_server_config'",
    ),
    "unknown key": (
        "tls_server_config: {cert_file: c, key_file: k, ciphers: []}",
        "web.yml:1:48: tls_server_config: unknown key 'ciphers'",
        "client_ca_file",
    ),
    "no certificate": ("tls_server_config: {key_file: good.key}", "web.yml:1:20: ", "cert_file: is missing"),
    "null certificate": (
        "tls_server_config: {cert_file: null, key_file: good.key}",
        "web.yml:1:32: ",
        "must name a file",
    ),
    "missing file": (
        "tls_server_config: {cert_file: nope.crt, key_file: good.key}",
        "web.yml:1:32: tls_server_config.cert_file: names ",
        "not a readable file",
    ),
    "no PEM": ("tls_server_config: {cert_file: web.yml, key_file: good.key}", "web.yml:1:32: ", "PEM"),
    "key of another": (
        "tls_server_config: {cert_file: good.crt, key_file: other.key}",
        "web.yml:1:32: ",
        "MISMATCH",
    ),
    "encrypted key": (
        "tls_server_config: {cert_file: locked.crt, key_file: locked.key}",
        "web.yml:1:32: ",
        "unencrypted",
    ),
    "bad CA": (
        f"tls_server_config: {{{PAIR}, client_ca_file: web.yml, {REQUIRE}}}",
        "web.yml:1:78: tls_server_config.client_ca_file",
        "PEM",
    ),
    "CA without verification": (
        "tls_server_config: {cert_file: good.crt, key_file: good.key, client_ca_file: good.crt}",
        "web.yml:1:20: ",
        "need each other",
    ),
    "verification without CA": (
        f"tls_server_config: {{{PAIR}, {REQUIRE}}}",
        "web.yml:1:80: ",
        "need each other",
    ),
    "verification of nothing": (
        f"tls_server_config: {{{PAIR}, client_auth_type: RequestClientCert}}",
        "web.yml:1:80: ",
        "checks nothing",
    ),
    "old TLS": (
        "tls_server_config: {cert_file: good.crt, key_file: good.key, min_version: TLS10}",
        "web.yml:1:75: ",
        "'TLS12' or 'TLS13'",
    ),
    "versions crossed": (
        f"tls_server_config: {{{PAIR}, min_version: TLS13, max_version: TLS12}}",
        "web.yml:1:75: ",
        "above max_version",
    ),
    "plain password": ("basic_auth_users: {alice: hunter2}", "web.yml:1:27: ", "bcrypt"),
    "costly hash": (
        f"basic_auth_users: {{alice: $2b$17$ {HASH[7:]}}}".replace("$ ", "$"),
        "web.yml:1:27: ",
        "4 to 16",
    ),
    "name with colon": (f"basic_auth_users: {{'a:b': {HASH}}}", "web.yml:1:", "basic_auth_users"),
    "duplicate user": (f"{USERS}  alice: {HASH}", "web.yml:3:3: ", "repeats line 2"),
    "syntax": ("basic_auth_users: {", "web.yml:2:1: ", "is not YAML"),
    "no mapping": ("- a", "web.yml:1:1: ", "mapping"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gives_one_problem_with_its_place(case, config):
    certificate(config.folder, "good")
    certificate(config.folder, "other")
    certificate(config.folder, "locked", passphrase=b"secret")
    text, start, remedy = BAD[case]
    found = problems(config, text)
    if case == "unknown key":
        found = [problem for problem in found if "unknown" in problem]
    assert len(found) == 1, found
    assert found[0].startswith(start)
    assert remedy in found[0]
    assert "hunter2" not in found[0]
    assert HASH not in found[0]


def test_a_missing_file_is_a_problem(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        web_config.load(tmp_path / "nope.yml")


def test_hashes_are_not_shown(web):
    assert HASH not in repr(web.file)
    assert HASH not in web.file.model_dump_json()


def test_without_tls_there_is_no_context(web):
    assert web.ssl_context() is None


def tls(config, extra: str = "") -> web_config.WebConfig:
    certificate(config.folder, "good")
    text = f"tls_server_config: {{{PAIR}{extra}}}\nhttp_server_config: {{headers: {{X-A: b}}}}"
    return web_config.load(config.write("web.yml", text))


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> str | None:
    """Run a handshake in memory; return the version. Raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(5):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return sides[1].version()


def test_the_context_serves_the_certificate(config):
    web = tls(config, ", max_version: TLS12")
    client = ssl.create_default_context(cafile=str(config.folder / "good.crt"))
    assert handshake(web.ssl_context(), client) == "TLSv1.2"
    assert web.headers == {"X-A": "b"}


def test_a_required_certificate_is_required_and_is_authentication(config):
    web = tls(config, ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: good.crt")
    client = ssl.create_default_context(cafile=str(config.folder / "good.crt"))
    with pytest.raises(ssl.SSLError):
        handshake(web.ssl_context(), client)
    client.load_cert_chain(config.folder / "good.crt", config.folder / "good.key")
    assert handshake(web.ssl_context(), client) == "TLSv1.3"
    assert web.authenticates


def test_a_web_configuration_with_users_opens_the_listener(config):
    config.write("web.yml", USERS)
    assert (
        config.load("exporter: {listen: ':1', web_config_file: web.yml}").settings.exporter.listen.port == 1
    )


def test_a_web_configuration_without_users_does_not(config):
    config.write("web.yml", "http_server_config: {http2: false}")
    (problem,) = config.problems("exporter: {listen: ':1', web_config_file: web.yml}")
    assert problem.startswith("c.yaml:1:20: exporter.listen: would listen on :1")


def test_a_bad_web_configuration_is_a_problem_of_load_in_its_own_place(config):
    config.write("web.yml", "\nbasic_auth_users: {a: b}")
    (problem,) = config.problems("exporter: {web_config_file: web.yml}")
    assert problem.startswith("web.yml:2:23: basic_auth_users.a: ")
