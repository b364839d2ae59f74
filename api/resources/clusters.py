"""/clusters: which clusters are watched. Those of a file are shown here and changed there."""

from __future__ import annotations

import ssl
from typing import Annotated, Any

from pydantic import Field, ValidationError

from api.body import Body
from api.choice import require
from api.collector import CollectorStatus
from api.context import current
from api.errors import Conflict, of_field
from api.examining import Tested, examine_cluster
from api.resource import Resource, Shape
from api.states import held, state_of
from api.validation import from_pydantic
from clustersight.clusters import PUBLIC, certificate_file, description_of
from clustersight.effective import Effective
from clustersight.settings.cluster import ClusterSettings, Protocol
from clustersight.store import clusters
from clustersight.store.clusters import Description, ManagedBy, StoredCluster
from clustersight.store.database import Connection
from clustersight.times import iso

RESOURCE = Resource("clusters", "Which clusters are watched.")

_FROM_FILE = "this cluster comes from a configuration file; change it there and reload"

Text = Annotated[str, Field(max_length=1000)]
Texts = Annotated[list[Text], Field(max_length=1000)]
Certificate = Annotated[str, Field(max_length=200_000)]


def _told(pattern: str) -> Any:
    """For the document: ClusterSettings checks, whose messages say more than a pattern does."""
    return Field(json_schema_extra={"pattern": pattern})


_HOST = r"^(\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?|[A-Za-z0-9._-]+)$"
# The longest name that DNS knows; an address of IPv6 is shorter.
Host = Annotated[str, Field(min_length=1, max_length=253), _told(_HOST)]
Keeper = Annotated[Text, _told(r"^(tls://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$")]
Replica = Annotated[Text, _told(r"^[^@]+\.[^@]+@[^@]+$")]
_LABEL = {"maxLength": 1000, "pattern": r"^(?!cluster$|host$|__)[A-Za-z_][A-Za-z0-9_]*$"}
Port = Annotated[int, Field(ge=1, le=65535)]


class ClusterFields(Body):
    """What a cluster may have; the keys are those of the configuration file."""

    username: Text | None = None
    password: Annotated[str, Field(max_length=10_000)] | None = Field(
        default=None, description="Encrypted at rest, and never shown."
    )
    name: Annotated[str, Field(min_length=1, max_length=200), _told(r"^[^\x00-\x1f]+$")] | None = Field(
        default=None, description="Unique; HOST:PORT where it is left out."
    )
    protocol: Protocol | None = Field(default=None, strict=False, description="Derived from a usual port.")
    secure: bool | None = Field(default=None, description="TLS; true on 8443, 9440 and 443.")
    verify: bool | None = None
    ca_cert: Certificate | None = Field(
        default=None, description="The authority's certificate as PEM text, not a path."
    )
    discover: bool | None = Field(default=None, description="Watch every node of logical_cluster.")
    discover_hosts: Texts | None = None
    logical_cluster: Text | None = None
    labels: (
        Annotated[dict[Text, Text], Field(max_length=100, json_schema_extra={"propertyNames": _LABEL})] | None
    ) = None
    keeper_nodes: Annotated[list[Keeper], Field(max_length=1000)] | None = None
    expected_readonly: Annotated[list[Replica], Field(max_length=1000)] | None = None


class NewCluster(ClusterFields):
    """A cluster; no connection is attempted."""

    host: Host = Field(examples=["clickhouse.internal"])
    port: Port = Field(examples=[8123])


class ClusterChange(ClusterFields):
    """The fields to change. A new host or port without the password drops the stored one."""

    host: Host | None = None
    port: Port | None = None


class ClusterShape(Shape):
    """A cluster and how it was last found; the password is never shown."""

    id: str = Field(examples=["cl_0123456789ab"])
    name: str
    host: str
    port: int
    protocol: Protocol
    secure: bool
    verify: bool
    ca_cert: str | None
    username: str
    logical_cluster: str | None
    keeper_nodes: list[str]
    expected_readonly: list[str]
    managed_by: ManagedBy
    discover: bool
    discover_hosts: list[str]
    labels: dict[str, str]
    collector_status: CollectorStatus
    last_collected_at: str | None
    last_error: str | None
    version: str | None
    logical_clusters: list[str]
    created_at: str
    updated_at: str


class DeletedCluster(Shape):
    """What was deleted."""

    id: str
    deleted: bool


@RESOURCE.get("/clusters", etag=True)
def get_clusters() -> list[ClusterShape]:
    """All clusters, the oldest first."""
    found = held()
    with current().database.read() as db:
        return [_shape(db, stored, found) for stored in clusters.active(db)]


@RESOURCE.post("/clusters", status=201, errors=(Conflict,))
def post_cluster(body: NewCluster) -> ClusterShape:
    """Watch a cluster from now on."""
    wanted, found = _validated(_given(body)), held()
    password = _encrypted(wanted)
    with current().database.begin() as db:
        stored = clusters.create(db, _description(body, wanted), password, current().now)
        return _shape(db, stored, found)


@RESOURCE.post("/clusters/test")
def test_cluster(body: NewCluster) -> Tested:
    """Try a connection, and tell what was found there; nothing is stored. At most 10 s."""
    wanted = _validated(_given(body))
    if body.ca_cert:
        file = certificate_file(body.ca_cert, current().store.folder)
        wanted = wanted.model_copy(update={"ca_cert": file})
    return examine_cluster(wanted, current())


@RESOURCE.get("/clusters/<id:cluster_id>", etag=True)
def get_cluster(cluster_id: str) -> ClusterShape:
    """One cluster."""
    found = held()
    with current().database.read() as db:
        return _shape(db, require(db, cluster_id), found)


@RESOURCE.put("/clusters/<id:cluster_id>", errors=(Conflict,))
def put_cluster(cluster_id: str, body: ClusterChange) -> ClusterShape:
    """Change a cluster: the fields that are sent."""
    found = held()
    with current().database.begin() as db:
        stored = _changeable(db, cluster_id)
        before = _fields(stored.description)
        wanted = _validated(_changed(before, _given(body)))
        password = _encrypted(wanted)
        moved = (wanted.host, wanted.port) != (stored.description.host, stored.description.port)
        if body.password is None and not moved:
            password = stored.password_encrypted
        description = _description(body, wanted, stored.description.settings.get("ca_cert"))
        changed = clusters.update(db, cluster_id, description, password, current().now)
        return _shape(db, changed, found)


@RESOURCE.delete("/clusters/<id:cluster_id>", errors=(Conflict,))
def delete_cluster(cluster_id: str) -> DeletedCluster:
    """Watch it no more; its history stays."""
    with current().database.begin() as db:
        _changeable(db, cluster_id)
        clusters.delete(db, cluster_id, current().now)
    return DeletedCluster(id=cluster_id, deleted=True)


def _changeable(db: Connection, cluster_id: str) -> StoredCluster:
    stored = require(db, cluster_id)
    if stored.managed_by is ManagedBy.FILE:
        raise Conflict(_FROM_FILE)
    return stored


def _given(body: ClusterFields) -> dict[str, Any]:
    """What was sent; null is as good as left out."""
    return {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}


def _fields(stored: Description) -> dict[str, Any]:
    return {**stored.settings, "name": stored.name, "host": stored.host, "port": stored.port}


def _changed(before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """A new port means what it usually means, unless that is said too."""
    derived = {"protocol", "secure"} if given.get("port", before["port"]) != before["port"] else set()
    return {name: value for name, value in before.items() if name not in derived} | given


def _validated(values: dict[str, Any]) -> ClusterSettings:
    """The settings of a cluster, with their own rules. Raises Invalid with a detail for each field."""
    values = {"name": f"{values['host']}:{values['port']}"} | values
    if pem := values.pop("ca_cert", None):
        _refuse_bad_certificate(pem)
    try:
        return ClusterSettings.model_validate(values)
    except ValidationError as error:
        raise from_pydantic(error, NewCluster.model_fields) from None


def _refuse_bad_certificate(pem: str) -> None:
    try:
        ssl.create_default_context().load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError, TypeError):  # TypeError: it is not ASCII
        raise of_field("ca_cert", "must be a certificate as PEM text: -----BEGIN CERTIFICATE-----…") from None


def _encrypted(cluster: ClusterSettings) -> str | None:
    return current().secrets.encrypt(cluster.password.get_secret_value()) if cluster.password else None


def _description(body: ClusterFields, wanted: ClusterSettings, pem: Any = None) -> Description:
    """What is stored of it: the certificate as text, since the file it will be in is ours."""
    found = description_of(wanted)
    ca_cert = pem if body.ca_cert is None else body.ca_cert
    return Description(found.name, found.host, found.port, {**found.settings, "ca_cert": ca_cert or None})


def _shape(db: Connection, stored: StoredCluster, found: Effective) -> ClusterShape:
    description = stored.description
    state = state_of(db, stored, found)
    return ClusterShape.model_validate(
        {
            **{name: description.settings.get(name) for name in PUBLIC},
            "id": stored.id,
            "name": description.name,
            "host": description.host,
            "port": description.port,
            "managed_by": stored.managed_by,
            "collector_status": state.status,
            "last_collected_at": iso(state.collected_at),
            "last_error": state.error,
            "version": state.version,
            "logical_clusters": list(state.logical_clusters),
            "created_at": iso(stored.created_at),
            "updated_at": iso(stored.updated_at),
        }
    )
