"""Wrong calls of commands that compare: 2, which is click's, says there that something differs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import click

# sysexits.h
EXIT_USAGE = 64


class Group(click.Group):
    """A group whose wrong calls exit 64."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _exit_64():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _exit_64():
            return super().invoke(ctx)


@contextlib.contextmanager
def _exit_64() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        # Click means it to be set on the class, and the classes are click's.
        error.exit_code = EXIT_USAGE  # type: ignore[misc]
        raise
