"""The contract of a channel, over all kinds, against a server that misbehaves."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from clustersight.notify import destination
from clustersight.notify.channel import Channel, ChannelBroken, Delivered, Outcome, Paused, Refused, TryAgain
from clustersight.notify.destination import Patience
from clustersight.notify.kinds import KINDS, open_channel
from clustersight.notify.notice import Form, NoticeKind
from clustersight.settings.notify import ChannelKind, ChannelSettings
from tests.notify.messages import many, message, notice, resolved
from tests.servers import slack
from tests.servers.certificates import Certificate, make_certificates
from tests.servers.misbehaving import ClosingPeer, GarbagePeer
from tests.servers.process import free_port
from tests.servers.slack import Answer, SlackStub, rate_limited

HEADER_SECRET = "header-secret-value"
# Long enough for a busy machine, short enough to wait for.
IMPATIENT = Patience(connect_seconds=2, read_seconds=0.4, whole_seconds=0.8)


@pytest.fixture(params=list(ChannelKind))
def kind(request: pytest.FixtureRequest) -> ChannelKind:
    return ChannelKind(request.param)


@pytest.fixture
def stub() -> Iterator[SlackStub]:
    """It takes any payload: the generic webhook is no Slack."""
    with SlackStub(validates=False) as server:
        yield server


Open = Callable[..., Channel]


@pytest.fixture
def opened(kind: ChannelKind) -> Open:
    """A channel of the kind to a URL."""

    def make(url: str, *, allow_private: bool = True, patience: Patience | None = None) -> Channel:
        headers = {"X-Token": SecretStr(HEADER_SECRET)}
        settings = ChannelSettings(name="ops", kind=kind, url=SecretStr(url), headers=headers)
        return open_channel(settings, allow_private=allow_private, patience=patience)

    return make


@pytest.fixture
def channel(opened: Open, stub: SlackStub) -> Channel:
    return opened(stub.url, patience=IMPATIENT)


def test_every_kind_of_the_settings_has_a_channel() -> None:
    assert set(KINDS) == set(ChannelKind)


def test_a_channel_without_a_url_is_not_opened(kind: ChannelKind) -> None:
    with pytest.raises(ValueError, match="ops has no URL"):
        open_channel(ChannelSettings(name="ops", kind=kind), allow_private=True)


def test_it_delivers_in_every_form(channel: Channel, stub: SlackStub) -> None:
    for form, notices in ((Form.SINGLE, (notice(),)), (Form.GROUP, many(12)), (Form.DIGEST, many(30))):
        assert channel.send(message(*notices, form=form)) == Delivered()
        assert channel.send(message(*notices, form=form), plain=True) == Delivered()
    assert len(stub.received) == 6
    assert channel.name == "ops"


def test_configured_headers_go_along(channel: Channel, stub: SlackStub) -> None:
    channel.send(message())
    sent = stub.received[0].headers
    assert sent["X-Token"] == HEADER_SECRET
    assert sent["Content-Type"].startswith("application/json")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(500, "rollup_error"), TryAgain),
        (Answer(502, "<html>bad gateway</html>"), TryAgain),
        (Answer(503, ""), TryAgain),
        (Answer(408, ""), TryAgain),
        (Answer(429, "rate_limited"), Paused),
        (Answer(403, "action_prohibited"), ChannelBroken),
        (Answer(404, "no_service"), ChannelBroken),
        (Answer(410, "channel_is_archived"), ChannelBroken),
        (Answer(401, ""), ChannelBroken),
        (Answer(405, ""), ChannelBroken),
        (Answer(301, "", {"Location": "/elsewhere"}), ChannelBroken),
        (Answer(307, "", {"Location": "/elsewhere"}), ChannelBroken),
        (Answer(400, "invalid_payload"), Refused),
        (Answer(400, ""), Refused),
        (Answer(413, ""), Refused),
        (Answer(422, ""), Refused),
        (Answer(418, ""), Refused),
    ],
)
def test_each_answer_has_its_outcome(
    channel: Channel, stub: SlackStub, answer: Answer, outcome: type[Outcome]
) -> None:
    stub.script(answer)
    found = channel.send(message())
    assert isinstance(found, outcome)
    assert not isinstance(found, Delivered)
    assert str(answer.status) in found.reason


def test_a_redirect_is_not_followed(channel: Channel, stub: SlackStub) -> None:
    stub.script(Answer(302, "", {"Location": f"{stub.url}/elsewhere"}))
    channel.send(message())
    assert len(stub.received) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("2.5", 2.5),
        ("0", 1),
        ("99999999", 3600),
        (None, 30),
        ("", 30),
        ("soon", 30),
        ("-5", 30),
        ("nan", 30),
        ("1e999", 30),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 1),
    ],
)
def test_a_pause_is_as_long_as_asked_for(
    channel: Channel, stub: SlackStub, header: str | None, seconds: float
) -> None:
    stub.script(Answer(429, "rate_limited", {"Retry-After": header} if header is not None else {}))
    assert channel.send(message()) == Paused(seconds, "it answers 429: rate_limited")


def test_a_pause_may_be_a_date(channel: Channel, stub: SlackStub) -> None:
    stub.script(rate_limited(datetime.now(UTC) + timedelta(seconds=100)))
    found = channel.send(message())
    assert isinstance(found, Paused)
    assert 80 < found.seconds <= 100


@pytest.mark.parametrize("answer", [slack.HANG, slack.DRIP_HEAD])
def test_a_receiver_that_does_not_answer_holds_nobody_up(
    channel: Channel, stub: SlackStub, answer: Answer
) -> None:
    stub.script(answer)
    assert channel.send(message()) == TryAgain("no answer within 0.4 s")
    stub.release()
    assert channel.send(message()) == Delivered()


def test_a_dripping_body_ends(channel: Channel, stub: SlackStub) -> None:
    """The status came: who looks at it alone has an answer, Slack's is its body."""
    stub.script(slack.DRIP)
    assert isinstance(channel.send(message()), Delivered | TryAgain)
    stub.wait_for(lambda received: len(received) == 1)


def test_an_endless_answer_is_not_read_to_its_end(channel: Channel, stub: SlackStub) -> None:
    stub.script(Answer(500, "x" * 3_000_000))
    found = channel.send(message())
    assert isinstance(found, TryAgain)
    assert len(found.reason) < 300


def test_a_connection_that_is_dropped(channel: Channel, stub: SlackStub) -> None:
    stub.script(slack.DROP)
    assert channel.send(message()) == TryAgain("it cannot be reached, or it hangs up")
    assert len(stub.received) == 1


def test_a_refused_connection(opened: Open) -> None:
    found = opened(f"http://127.0.0.1:{free_port()}/x").send(message())
    assert found == TryAgain("it cannot be reached, or it hangs up")


@pytest.mark.parametrize("peer", [ClosingPeer, GarbagePeer])
def test_what_speaks_no_http(opened: Open, peer: type[ClosingPeer | GarbagePeer]) -> None:
    with peer() as server:
        assert isinstance(opened(f"http://127.0.0.1:{server.port}/x").send(message()), TryAgain)


def test_a_name_that_nobody_knows(opened: Open) -> None:
    found = opened("https://nowhere.invalid/x").send(message())
    assert found == TryAgain("the name of its host is not known (DNS)")


def test_a_resolver_that_hangs(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination, "_addresses", lambda *_: time.sleep(2))
    patience = Patience(connect_seconds=0.1, read_seconds=1, whole_seconds=1)
    started = time.monotonic()
    assert isinstance(opened("https://slow.example/x", patience=patience).send(message()), TryAgain)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "127.1",
            "2130706433",
            "localhost",
            "0.0.0.0",
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
        ),
        *("169.254.169.254", "100.64.0.1", "224.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fc00::1]"),
        *("[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[ff02::1]"),
    ],
)
def test_a_private_address_is_refused(opened: Open, stub: SlackStub, host: str) -> None:
    found = opened(f"http://{host}:{stub.port}/x", allow_private=False).send(message())
    assert isinstance(found, ChannelBroken)
    assert "notify.allow_private: true" in found.reason
    assert stub.received == []


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_a_public_address_is_not(address: str) -> None:
    assert destination.is_public(address)


class Names:
    """A resolver under somebody else's control; `asked` counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.asked = 0
        self._answers = list(answers)
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.resolve)

    def resolve(self, host: str, port: int, *args: int, **options: int) -> list[tuple[object, ...]]:
        if host != "hooks.example":
            return list(self._real(host, port, *args, **options))
        self.asked += 1
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self._answers.pop(0)
        ]


def test_a_name_with_a_private_address_is_refused(
    opened: Open, stub: SlackStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, ["93.184.215.14", "127.0.0.1"])
    found = opened(f"http://hooks.example:{stub.port}/x", allow_private=False).send(message())
    assert isinstance(found, ChannelBroken)
    assert stub.received == []


def test_the_connection_goes_to_the_address_that_was_checked(
    opened: Open, stub: SlackStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: a second question would have another answer."""
    monkeypatch.setattr(destination, "is_public", lambda address: address == "127.0.0.1")
    names = Names(monkeypatch, ["127.0.0.1"], ["127.0.0.66"])
    found = opened(f"http://hooks.example:{stub.port}/x", allow_private=False).send(message())
    assert (found, names.asked) == (Delivered(), 1)
    assert stub.received[0].headers["Host"].startswith("hooks.example")


def test_it_tries_the_next_address(opened: Open, stub: SlackStub, monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, ["127.0.0.66", "127.0.0.1"])
    assert opened(f"http://hooks.example:{stub.port}/x").send(message()) == Delivered()


def test_the_environment_leads_nowhere_else(
    channel: Channel, stub: SlackStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert channel.send(message()) == Delivered()


@pytest.fixture
def tls_stub(stub: SlackStub) -> Callable[[Certificate], str]:
    """Puts TLS in front of the stub; the URL."""

    def start(certificate: Certificate) -> str:
        stub.serve_tls(certificate.certificate, certificate.key)
        return stub.url.replace("http://", "https://")

    return start


@pytest.mark.parametrize("name", ["valid", "expired", "wrong_host", "self_signed"])
def test_certificates_are_checked(
    opened: Open,
    tls_stub: Callable[[Certificate], str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    certificates = make_certificates(tmp_path_factory.mktemp("tls"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.authority))
    found = opened(tls_stub(getattr(certificates, name))).send(message())
    bad = TryAgain("TLS fails; check the receiver's certificate")
    assert found == (Delivered() if name == "valid" else bad)


def test_tls_that_hangs_in_its_handshake(opened: Open, stub: SlackStub) -> None:
    """A port that speaks plain HTTP waits for the end of a request line that never comes."""
    url = stub.url.replace("http://", "https://")
    assert isinstance(opened(url, patience=IMPATIENT).send(message()), TryAgain)


# Half of one is too much.
SECRETS = (slack.SECRET[:10], "T0SECRET1", "B0SECRET2", HEADER_SECRET, "user-secret", "query-secret")


@pytest.mark.parametrize(
    "answer",
    [
        *(Answer(status, "{url} {path} {header}") for status in (400, 403, 429, 500)),
        Answer(404, '{{"url": "{escaped}", "token": "{secret}"}}'),
        Answer(200, "no: {url}"),
        Answer(500, "x" * 185 + "{secret}"),
        Answer(500, "{lower}"),
        Answer(302, "", {"Location": "{url}"}),
        Answer(500, "x", {"Broken header {secret}": "x\r\nno colon {secret}"}),
        slack.HANG,
        slack.DROP,
        slack.DRIP,
        slack.DRIP_HEAD,
    ],
)
def test_no_secret_is_told(
    opened: Open, stub: SlackStub, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = stub.url.replace("//", "//me:user-secret@") + "?key=query-secret"
    stub.script(answer.quoting(url, HEADER_SECRET))
    channel = opened(url, patience=IMPATIENT)
    found = channel.send(message())
    told = f"{found!r} {channel!r} {channel} {caplog.text} {[vars(r) for r in caplog.records]}"
    assert "ops" in repr(channel)
    assert [secret for secret in SECRETS if secret.lower() in told.lower()] == []


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (f"http://127.0.0.1:99999/{slack.SECRET}", {}),
        (f"http://[::1/{slack.SECRET}", {}),
        (f"ftp://127.0.0.1/{slack.SECRET}", {}),
        (f"http://\udcff.example/{slack.SECRET}", {}),
        (f"http://{'a' * 300}.example/{slack.SECRET}", {}),
        (f"http://127.0.0.1/{slack.SECRET}", {"X-Token": f"{HEADER_SECRET}\r\nX-Other: 1"}),
        (f"http://127.0.0.1/{slack.SECRET}", {"X-Token": f"{HEADER_SECRET} \u20ac"}),
    ],
)
def test_what_cannot_be_sent_breaks_nothing(
    kind: ChannelKind, url: str, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret_headers = {name: SecretStr(value) for name, value in headers.items()}
    settings = ChannelSettings.model_construct(
        name="ops", kind=kind, url=SecretStr(url), headers=secret_headers
    )
    found = open_channel(settings, allow_private=True).send(message())
    unknown_name = "aaa.example" in url
    assert isinstance(found, TryAgain if unknown_name else ChannelBroken)
    assert slack.SECRET not in found.reason + caplog.text
    assert HEADER_SECRET not in found.reason + caplog.text


def test_a_receivers_words_are_short_and_printable(channel: Channel, stub: SlackStub) -> None:
    stub.script(Answer(500, "line\nline\x1b[31m \u202e " + "x" * 1000))
    found = channel.send(message())
    assert isinstance(found, TryAgain)
    assert found.reason.startswith("it answers 500: line line [31m")
    assert found.reason.isprintable()
    assert len(found.reason) <= 220


def test_every_kind_of_notice_is_sent(channel: Channel) -> None:
    for one in NoticeKind:
        assert channel.send(message(notice(kind=one))) == Delivered()
    assert channel.send(message(resolved(untold=True))) == Delivered()
