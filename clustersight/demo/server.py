"""The embedded ClickHouse as a server: its HTTP interface on the loopback address, for any client of it.

`python -m clustersight.demo.server --path DIR --port 0 --port-file FILE`
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from clustersight.demo.accounts import Account, Accounts
from clustersight.demo.engine import Engine, Options, QueryError
from clustersight.demo.interface import Interface

if TYPE_CHECKING:
    import socket

HOST = "127.0.0.1"
# How long queries that were asked to end, and the engine itself, may take before the process ends without.
CLOSE_SECONDS = 5.0
DRAIN_SECONDS = 5.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Server(ThreadingHTTPServer):
    """A thread per connection, so that a slow query holds up nobody else."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, port: int, engine: Engine, accounts: Accounts) -> None:
        self.engine = engine
        self.accounts = accounts
        self.started_at = time.monotonic()
        self._running = 0
        self._idle = threading.Condition()
        super().__init__((HOST, port), Interface)

    def query_started(self) -> None:
        with self._idle:
            self._running += 1

    def query_ended(self) -> None:
        with self._idle:
            self._running -= 1
            self._idle.notify_all()

    def drain(self, timeout_seconds: float) -> bool:
        """End the running queries and wait for them; False when one is still there after the time."""
        self.engine.interrupt()
        with self._idle:
            return self._idle.wait_for(lambda: self._running == 0, timeout_seconds)

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        # A client that went away is no event; everything else is a mistake of this program.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; the exit status."""
    # Blocked before the engine starts its threads, so that all of them inherit it and the signal is taken
    # here, not by the engine's own handlers.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        engine = Engine(arguments.path.resolve(), engine_options(arguments))
    except QueryError as error:
        print(f"the engine does not start: {error}", file=sys.stderr)
        return 1
    server = Server(arguments.port, engine, accounts_of(arguments))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    if arguments.port_file:
        write_port(arguments.port_file, server.server_port)
    print(f"serving ClickHouse on http://{HOST}:{server.server_port}", flush=True)
    signal.sigwait(STOP_SIGNALS)
    return stop(server)


def stop(server: Server) -> int:
    server.shutdown()
    server.server_close()
    if server.drain(DRAIN_SECONDS):
        # With a replicated table that lost its Keeper, closing can take for ever.
        closing = threading.Thread(target=server.engine.close, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
    # The engine's threads outlive the interpreter and can keep it from ending.
    sys.stdout.flush()
    os._exit(0)


def write_port(port_file: Path, port: int) -> None:
    """Write the port in one step: who waits for the file never reads half of it."""
    draft = port_file.with_name(f"{port_file.name}.{os.getpid()}")
    draft.write_text(f"{port}\n", encoding="ascii")
    draft.replace(port_file)


def engine_options(arguments: argparse.Namespace) -> Options:
    fragment = arguments.config_fragment.read_text(encoding="utf-8") if arguments.config_fragment else ""
    return Options(zookeeper=arguments.zookeeper, grants=tuple(arguments.grant), fragment=fragment)


def accounts_of(arguments: argparse.Namespace) -> Accounts:
    given = [Account(arguments.user, arguments.password)] if arguments.user else []
    return Accounts([*given, *(Account.parse(text) for text in arguments.account)])


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m clustersight.demo.server", description=__doc__)
    result.add_argument("--path", type=Path, required=True, help="folder of the engine: data, logs, config")
    result.add_argument("--port", type=int, default=0, help="0: a free one (default)")
    result.add_argument("--port-file", type=Path, help="written with the port when the server is ready")
    result.add_argument("--zookeeper", default="", metavar="HOST:PORT")
    result.add_argument("--user", default="", help="refuse everyone else with code 516")
    result.add_argument("--password", default="")
    result.add_argument(
        "--account",
        action="append",
        default=[],
        metavar="NAME:PASSWORD[:READONLY]",
        help="a further user, with the readonly (0, 1 or 2) of its profile",
    )
    result.add_argument("--grant", action="append", default=[], help="only these grants, for every user")
    result.add_argument("--config-fragment", type=Path, help="XML for the engine's configuration")
    return result


if __name__ == "__main__":
    sys.exit(serve(parser().parse_args()))
