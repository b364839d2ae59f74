"""Keeper and ZooKeeper nodes themselves, asked in their 4-letter words over TCP or TLS.

ClickHouse Keeper and ZooKeeper share them: docs "four-letter-word commands". Every word has a
connection of its own, which the node closes after its answer.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum

# All nodes together, side by side: a hung one costs this and no more.
ASK_SECONDS = 3.0
# mntr of a ZooKeeper with all its metrics is some 50 kB.
MAX_ANSWER_BYTES = 256 * 1024
MAX_TEXT_CHARACTERS = 200
CLOSED = "the connection was closed without an answer"
# What ZooKeeper and Keeper say instead of an answer.
NOT_SERVING = "not currently serving requests"
NOT_ALLOWED = "is not executed because it is not in the whitelist"

_PLACE = re.compile(r"(tls://)?(?:\[([^\[\]/\s]+)\]|([^:\[\]/\s]+)):(\d{1,5})")
_SRVR_LINE = re.compile(r"^(Mode|Outstanding|Node count|[\w ]*version): *(.*?)\s*$", re.MULTILINE)
_SRVR_NAMES = {
    "Mode": "zk_server_state",
    "Outstanding": "zk_outstanding_requests",
    "Node count": "zk_znode_count",
}


class State(StrEnum):
    """What is known of a node. Only the four roles mean that it serves requests."""

    LEADER = "leader"
    FOLLOWER = "follower"
    OBSERVER = "observer"
    STANDALONE = "standalone"
    UP_NO_QUORUM = "up_no_quorum"
    UP_UNKNOWN = "up_unknown"
    DOWN = "down"
    UNREACHABLE_FROM_EXPORTER = "unreachable_from_exporter"


SERVING = frozenset({State.LEADER, State.FOLLOWER, State.OBSERVER, State.STANDALONE})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node listens; `text` is how it was written, which is its name everywhere."""

    text: str
    host: str
    port: int
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What one node said. `latency_seconds` is our round trip with connecting; None without an answer."""

    place: Place
    state: State
    latency_seconds: float | None = None
    details: dict[str, str] = field(default_factory=dict)
    error: str = ""

    def number(self, *names: str) -> float | None:
        """The first of these details that is a number: ZooKeeper and Keeper name some differently."""
        for name in names:
            try:
                return float(self.details[name])
            except (KeyError, ValueError):
                continue
        return None


class NoAnswer(Exception):
    """Nothing came back: no connection, none in time, or it was closed without a word."""


def place(text: str) -> Place:
    """Parse HOST:PORT, [V6]:PORT or tls://HOST:PORT; raises ValueError."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a Keeper node: {text[:MAX_TEXT_CHARACTERS]!r}")
    scheme, v6, host, port = match.groups()
    return Place(text, v6 or host, int(port), scheme is not None)


def is_place(text: str) -> bool:
    return _PLACE.fullmatch(text) is not None


def ask_all(
    places: Sequence[Place], seconds: float = ASK_SECONDS, clock: Callable[[], float] = time.monotonic
) -> list[Answer]:
    """Ask all nodes side by side; every one has an answer after `seconds`, if only that there was none."""
    ends = clock() + seconds
    answers: dict[Place, Answer] = {}

    def work(one: Place) -> None:
        answers[one] = ask(one, ends, clock)

    # Daemons, never joined for longer: looking up a name has no timeout and may take half a minute.
    threads = [threading.Thread(target=work, args=[one], daemon=True) for one in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends - clock()))
    late = f"no answer within {seconds:g} s"
    return [answers.get(one) or Answer(one, State.DOWN, error=late) for one in places]


def ask(node: Place, ends: float, clock: Callable[[], float] = time.monotonic) -> Answer:
    """Ask one node until `ends` (seconds of `clock`)."""
    heard, reason, latency = "", "", None
    for word in ("ruok", "mntr", "srvr"):
        began = clock()
        try:
            text = talk(node, word, ends, clock)
        except NoAnswer as error:
            reason = str(error)
            if reason != CLOSED:
                break  # refused or hung: another word would only wait as well
            continue  # so ClickHouse Keeper treats a word that is not in its whitelist
        latency = clock() - began if latency is None else latency
        found = understood(node, text, latency)
        if found is not None:
            return found
        heard, reason = heard or text, one_line(text)
    return _unclear(node, heard, latency, reason)


def _unclear(node: Place, heard: str, latency: float | None, reason: str) -> Answer:
    """It answers, but not what we need to know; or not at all."""
    if heard == "imok" or NOT_ALLOWED in heard:
        return Answer(node, State.UP_UNKNOWN, latency, error=reason)
    if heard:
        reason = f"does not speak Keeper's protocol: {one_line(heard)}"
    return Answer(node, State.DOWN, error=reason)


def understood(node: Place, text: str, latency: float | None) -> Answer | None:
    """What mntr or srvr say; None where it is no answer to them."""
    if NOT_SERVING in text:
        return Answer(node, State.UP_NO_QUORUM, latency, error=one_line(text))
    details = parsed(text)
    role = details.get("zk_server_state", "")
    if not role:
        return None
    state = State(role) if role in SERVING else State.UP_UNKNOWN
    error = "" if state in SERVING else f"the node says it is {role}"
    return Answer(node, state, latency, details, error)


def parsed(text: str) -> dict[str, str]:
    """mntr's `name TAB value` and srvr's `Name: value` lines, under mntr's names; values are cut."""
    found = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    for name, value in _SRVR_LINE.findall(text):
        found.setdefault(_SRVR_NAMES.get(name, "zk_version"), value)
    return {name: one_line(value) for name, value in found.items()}


def one_line(text: str) -> str:
    """Printable characters only, at most MAX_TEXT_CHARACTERS of them: it comes from the network."""
    line = " ".join(text[: 4 * MAX_TEXT_CHARACTERS].split())
    return "".join(c for c in line if c.isprintable())[:MAX_TEXT_CHARACTERS]


def talk(node: Place, word: str, ends: float, clock: Callable[[], float] = time.monotonic) -> str:
    """Say one word and return the whole answer, which is never empty; raises NoAnswer."""
    try:
        with closing(_connected(node, ends, clock)) as connection:
            connection.settimeout(_left(ends, clock))
            connection.sendall(word.encode())
            answer = b"".join(_chunks(connection, ends, clock))
    except (OSError, ValueError) as error:  # UnicodeError of a host name is a ValueError
        raise NoAnswer(_reason(error)) from None
    if not answer:
        raise NoAnswer(CLOSED)
    return answer.decode("utf-8", "replace").strip()


def _connected(node: Place, ends: float, clock: Callable[[], float]) -> socket.socket:
    connection = socket.create_connection((node.host, node.port), timeout=_left(ends, clock))
    if not node.secure:
        return connection
    # No secret is sent, and there is no place to configure an authority for Keeper: not verified.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        connection.settimeout(_left(ends, clock))  # for a handshake as a whole, unlike for reads
        return context.wrap_socket(connection, server_hostname=node.host)
    except BaseException:
        connection.close()
        raise


def _chunks(connection: socket.socket, ends: float, clock: Callable[[], float]) -> Iterable[bytes]:
    """Until the node closes, the answer is too large, or time is up (which a timeout of each read is not)."""
    size = 0
    while size < MAX_ANSWER_BYTES:
        connection.settimeout(_left(ends, clock))
        chunk = connection.recv(65536)
        if not chunk:
            return
        size += len(chunk)
        yield chunk


def _left(ends: float, clock: Callable[[], float]) -> float:
    left = ends - clock()
    if left <= 0:
        raise TimeoutError
    return left


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionResetError | BrokenPipeError | ssl.SSLEOFError):
        return CLOSED
    if isinstance(error, socket.gaierror):
        return f"unknown host: {error.strerror}"
    return one_line(getattr(error, "strerror", None) or str(error))
