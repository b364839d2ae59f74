"""Our user as `clustersight cluster grants` prints it, on the two servers that tests have.

The embedded engine keeps no SQL users (514), and every query runs as `default`: that one gets the printed
profile and grants, as a users.xml.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from clustersight.clickhouse import grants
from clustersight.panels import ALL

USER = "clustersight_ro"
_SETTING = re.compile(r"(\w+) = ('\w*'|\w+)(?: MIN (\w+))?(?: MAX (\w+))?")
_USERS = """<clickhouse>
    <profiles><default/><ours>{settings}<constraints>{constraints}</constraints></ours></profiles>
    <quotas><default/></quotas>
    <users><default><password></password><networks><ip>::/0</ip></networks><profile>{profile}</profile>
        <quota>default</quota>{grants}</default></users>
</clickhouse>
"""


def printed_grants() -> list[str]:
    """The GRANTs without the user, as a users.xml has them."""
    lines = grants.statements(grants.needed(_tables(), None), USER)
    return [line.partition(" TO ")[0] for line in lines]


def granted_tables() -> set[str]:
    """The system tables that these let it read."""
    return {grant.target.removeprefix("system.") for grant in grants.needed(_tables(), None)} - {"*.*"}


def users_file(*, narrowed: bool) -> str:
    """What `default` is: the printed profile and GRANTs, or somebody with every right."""
    settings = _SETTING.findall(grants.account(USER)[0].partition(" SETTINGS ")[2])
    queries = "".join(f"<query>{escape(grant)}</query>" for grant in printed_grants())
    return _USERS.format(
        settings="".join(f"<{name}>{value.strip(chr(39))}</{name}>" for name, value, _, _ in settings),
        constraints="".join(_constraints(settings)),
        profile="ours" if narrowed else "default",
        grants=f"<grants>{queries}</grants>" if narrowed else "",
    )


def _tables() -> list[str]:
    return [table for panel in ALL for table in panel.tables]


def _constraints(profile: Iterable[tuple[str, str, str, str]]) -> Iterator[str]:
    for name, _, low, high in profile:
        bounds = "".join(f"<{tag}>{value}</{tag}>" for tag, value in (("min", low), ("max", high)) if value)
        if bounds:
            yield f"<{name}>{bounds}</{name}>"
