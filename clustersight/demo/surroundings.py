"""What the demo needs around it, looked at before anything starts."""

from __future__ import annotations

import importlib.util
import socket

from clustersight.demo.child import DemoError
from clustersight.demo.options import Options
from clustersight.settings.listen import Listen

MISSING_ENGINE = "the embedded ClickHouse is not installed; in the clone: pip install '.[demo]'"


def check_surroundings(options: Options) -> None:
    """Raise DemoError, with the remedy, for what would fail later and less clearly."""
    if importlib.util.find_spec("chdb") is None:
        raise DemoError(MISSING_ENGINE)
    check_listen(options.listen, "--listen")
    check_listen(options.alerter_listen, "--alerter-listen")
    check_listen(options.api_listen, "--api-listen")
    check_listen(options.inbox_listen, "--inbox-listen")
    if options.zookeeper and not answers(options.zookeeper):
        raise DemoError(f"nothing answers at {options.zookeeper}: start ZooKeeper, or leave out --zookeeper")


def check_listen(listen: Listen, option: str) -> None:
    """Raise DemoError where a process could not, or should not, listen."""
    if not listen.is_loopback:
        raise DemoError(
            f"the demo has no authentication and does not listen on {listen}, beyond this machine: "
            "use 127.0.0.1:PORT, and an SSH tunnel to see it from elsewhere"
        )
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the exporter's own socket: a connection that has just ended does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
        except OSError as error:
            raise DemoError(
                f"cannot listen on {listen} ({error.strerror}): does another demo run? "
                f"Stop it, or choose another port: clustersight demo {option} 127.0.0.1:0 takes a free one"
            ) from error


def answers(address: str) -> bool:
    """Whether something accepts connections at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except OSError:
        return False
    return True
