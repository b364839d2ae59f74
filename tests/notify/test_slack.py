"""What Slack says beside its status."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clustersight.notify.channel import ChannelBroken, Delivered, Outcome, Paused, Refused, TryAgain
from clustersight.notify.destination import Patience
from clustersight.notify.notice import Form
from clustersight.notify.posting import Poster
from clustersight.notify.slack import SlackChannel
from tests.notify.messages import many, message
from tests.servers import slack
from tests.servers.slack import Answer, SlackStub, not_ok


@pytest.fixture
def stub() -> Iterator[SlackStub]:
    """It takes what Slack takes."""
    with SlackStub() as server:
        yield server


@pytest.fixture
def channel(stub: SlackStub) -> SlackChannel:
    patience = Patience(connect_seconds=2, read_seconds=0.4, whole_seconds=0.8)
    return SlackChannel("ops", Poster(stub.url, {}, allow_private=True, patience=patience))


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(200, "ok"), Delivered),
        (Answer(200, "ok\n"), Delivered),
        (Answer(200, '{"ok": true}'), Delivered),
        (Answer(200, '{"ok": "true"}'), TryAgain),
        (Answer(200, ""), TryAgain),
        (Answer(200, "<html>log in to the portal</html>"), TryAgain),
        (Answer(200, "okay"), TryAgain),
        (Answer(200, "[]"), TryAgain),
        (Answer(200, "[" * 60_000), TryAgain),
        (Answer(202, "ok"), TryAgain),
        (Answer(204, ""), TryAgain),
        (not_ok("channel_not_found"), ChannelBroken),
        (not_ok("invalid_auth"), ChannelBroken),
        (not_ok("is_archived"), ChannelBroken),
        (not_ok("msg_too_long"), Refused),
        (not_ok("invalid_blocks"), Refused),
        (not_ok("ratelimited"), Paused),
        (not_ok("internal_error"), TryAgain),
        (not_ok("something_new"), TryAgain),
        (Answer(200, "no_service"), ChannelBroken),
        (Answer(400, "invalid_payload"), Refused),
        (Answer(400, "no_text"), Refused),
        (Answer(400, "too_many_attachments"), Refused),
        (Answer(400, "something_new"), Refused),
        (Answer(400, "invalid_token"), ChannelBroken),
        (Answer(400, "no_service"), ChannelBroken),
        (Answer(400, "channel_not_found"), ChannelBroken),
        (Answer(400, "user_not_found"), ChannelBroken),
        (Answer(403, "invalid_payload"), ChannelBroken),
        (Answer(500, "rollup_error"), TryAgain),
        (slack.DRIP, TryAgain),
    ],
)
def test_each_answer_of_slack(
    channel: SlackChannel, stub: SlackStub, answer: Answer, outcome: type[Outcome]
) -> None:
    stub.script(answer)
    assert type(channel.send(message())) is outcome


def test_an_answer_that_was_cut_is_none(stub: SlackStub) -> None:
    """`ok` without an end: when our time is over, the connection looks as if it had ended."""
    stub.script(slack.DRIP)
    patience = Patience(connect_seconds=2, read_seconds=5, whole_seconds=0.4)
    found = SlackChannel("ops", Poster(stub.url, {}, allow_private=True, patience=patience)).send(message())
    assert isinstance(found, TryAgain)


def test_a_pause_without_a_status_has_its_length(channel: SlackChannel, stub: SlackStub) -> None:
    stub.script(Answer(200, '{"ok": false, "error": "ratelimited"}', {"Retry-After": "9"}))
    found = channel.send(message())
    assert isinstance(found, Paused)
    assert found.seconds == 9


def test_it_is_refused_with_blocks_and_goes_as_plain_text(channel: SlackChannel, stub: SlackStub) -> None:
    stub.script(slack.INVALID_PAYLOAD)
    assert channel.send(message()) == Refused("it answers 400: invalid_payload")
    assert channel.send(message(), plain=True) == Delivered()
    with_blocks, plain = (one.body for one in stub.received)
    assert {"blocks", "attachments"} < with_blocks.keys()
    assert plain.keys() == {"text"}


def test_slack_takes_a_whole_backlog(channel: SlackChannel, stub: SlackStub) -> None:
    assert channel.send(message(*many(2000), form=Form.DIGEST)) == Delivered()
    assert channel.send(message(*many(2000), form=Form.GROUP)) == Delivered()


def test_the_stub_refuses_what_slack_would() -> None:
    """Otherwise the tests above would show nothing."""
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    header = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
    good = {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}
    assert slack.problem_of({"blocks": [good]}) == "no_text"
    assert slack.problem_of({"text": "x", "blocks": [long]}) == "invalid_blocks"
    assert slack.problem_of({"text": "x", "blocks": [header]}) == "invalid_blocks"
    assert slack.problem_of({"text": "x", "attachments": [{"blocks": [good] * 51}]}) == "invalid_blocks"
    assert slack.problem_of({"text": "hello <!channel>"}) == "invalid_payload"
    assert slack.problem_of({"text": "x" * 13_201}) == "msg_blocks_too_long"
    assert slack.problem_of(None) == "invalid_payload"
    assert slack.problem_of({"text": "x", "blocks": [good] * 50}) == ""
