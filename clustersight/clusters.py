"""Clusters between the settings and the store: what of one may be stored, and one made from that."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from clustersight.settings.cluster import ClusterSettings
from clustersight.store.clusters import Description, StoredCluster
from clustersight.store.opening import Store

# What a cluster has beside name, host, port and password: the keys of spec/configuration.md that are shown.
PUBLIC = (
    "protocol", "secure", "username", "verify", "ca_cert", "discover", "discover_hosts", "logical_cluster",
    "keeper_nodes", "expected_readonly", "labels",
)  # fmt: skip
_PEM = "-----BEGIN CERTIFICATE-----"


def description_of(cluster: ClusterSettings) -> Description:
    """What the store keeps of a cluster; no secret is in it."""
    values = cluster.model_dump(mode="json", include=set(PUBLIC))
    return Description(cluster.name, cluster.host, cluster.port, values)


def settings_of(stored: StoredCluster, store: Store) -> ClusterSettings:
    """A cluster that was made over the API, with its password. Raises Undecryptable."""
    values: dict[str, Any] = dict(stored.description.settings)
    if str(values.get("ca_cert") or "").startswith(_PEM):
        values["ca_cert"] = certificate_file(values["ca_cert"], store.folder)
    if stored.password_encrypted is not None:
        values["password"] = SecretStr(store.secrets.decrypt(stored.password_encrypted))
    description = stored.description
    values |= {"name": description.name, "host": description.host, "port": description.port}
    return ClusterSettings.model_validate(values)


def certificate_file(pem: str, folder: Path) -> Path:
    """A file of ours with this certificate: drivers take paths, the API takes text. Raises OSError."""
    name = hashlib.sha256(pem.encode()).hexdigest()[:32]
    path = folder / "certificates" / f"{name}.pem"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(pem, encoding="utf-8")
        unfinished.replace(path)
    return path


def descriptions_of(clusters: Iterable[ClusterSettings]) -> list[Description]:
    return [description_of(cluster) for cluster in clusters]
