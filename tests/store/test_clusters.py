"""Clusters in the store: from a file, over the API, deleted and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clustersight.ids import is_id
from clustersight.store import clusters, health_scores, nodes, revisions, snapshots
from clustersight.store.clusters import Description, ManagedBy
from clustersight.store.errors import Conflict
from clustersight.store.health_scores import StoredScore
from clustersight.store.nodes import StoredNode
from clustersight.store.snapshots import Snapshot

if TYPE_CHECKING:
    from clustersight.store.database import Database

NOW = 1_790_000_000.0


def described(name: str = "one", host: str = "ch1", port: int = 8123, **settings: object) -> Description:
    return Description(name, host, port, settings)


def create(database: Database, description: Description, password: str | None = None) -> str:
    with database.begin() as db:
        return clusters.create(db, description, password, NOW).id


def provision(database: Database, *wanted: Description, complete: bool = True) -> None:
    with database.begin() as db:
        clusters.provision(db, wanted, NOW, complete=complete)


def active(database: Database) -> dict[str, clusters.StoredCluster]:
    with database.read() as db:
        return {one.name: one for one in clusters.active(db)}


def test_a_cluster_is_read_back_as_it_was_made(database: Database) -> None:
    made = described(protocol="http", labels={"env": "prod", "ünï": "<!channel>'\"\n"})

    cluster_id = create(database, made, "token")

    found = active(database)["one"]
    assert is_id(cluster_id)
    assert (found.id, found.description, found.managed_by) == (cluster_id, made, ManagedBy.API)
    assert found.password_encrypted == "token"
    assert "token" not in repr(found)


@pytest.mark.parametrize("other", [described("one", "elsewhere"), described("two", "ch1")])
def test_name_and_address_are_unique_among_the_active(database: Database, other: Description) -> None:
    create(database, described())

    with pytest.raises(Conflict, match=r"'one'"):
        create(database, other)


def test_a_deleted_cluster_comes_back_by_its_address_with_its_id_and_without_its_password(
    database: Database,
) -> None:
    before = create(database, described(), "token")
    with database.begin() as db:
        clusters.delete(db, before, NOW)
        assert clusters.get(db, before) is None

    after = create(database, described("renamed"))

    assert after == before
    assert active(database)["renamed"].password_encrypted is None


def test_a_file_cluster_is_its_name(database: Database) -> None:
    provision(database, described())
    before = active(database)["one"].id

    provision(database, described(host="moved", port=9000))

    found = active(database)["one"]
    assert (found.id, found.description.host, found.managed_by) == (before, "moved", ManagedBy.FILE)


@pytest.mark.parametrize("wanted", [described("one", "other"), described("other", "ch1")])
def test_a_file_adopts_the_api_cluster_of_its_name_or_address(
    database: Database, wanted: Description
) -> None:
    before = create(database, described(), "token")

    provision(database, wanted)

    found = active(database)[wanted.name]
    assert (found.id, found.managed_by, found.password_encrypted) == (before, ManagedBy.FILE, None)
    assert len(active(database)) == 1


def test_what_the_file_no_longer_names_is_deleted_and_returns_with_its_id(database: Database) -> None:
    create(database, described("api", "ch9"))
    provision(database, described(), described("two", "ch2"))
    before = active(database)["one"].id

    provision(database, described("two", "ch2"))
    assert set(active(database)) == {"api", "two"}

    provision(database, described(), described("two", "ch2"))
    assert active(database)["one"].id == before


def test_a_process_without_a_file_deletes_nothing(database: Database) -> None:
    provision(database, described())

    provision(database, complete=False)

    assert set(active(database)) == {"one"}


def test_two_file_clusters_may_swap_their_addresses(database: Database) -> None:
    provision(database, described("one", "ch1"), described("two", "ch2"))

    provision(database, described("one", "ch2"), described("two", "ch1"))

    assert {name: one.description.host for name, one in active(database).items()} == {
        "one": "ch2",
        "two": "ch1",
    }


def test_only_a_change_counts_the_revision_up(database: Database) -> None:
    def revision() -> int:
        with database.read() as db:
            return revisions.read(db)

    assert revision() == 0
    provision(database, described())
    first = revision()
    provision(database, described())
    assert first == revision() == 1

    provision(database, described(secure=True))
    assert revision() == 2


def test_nodes_that_left_are_forgotten_and_the_others_stay(database: Database) -> None:
    cluster_id = create(database, described())

    def node(host: str, **more: object) -> StoredNode:
        return StoredNode(cluster_id, host, host, 9000, False, True, NOW, **more)  # type: ignore[arg-type]

    with database.begin() as db:
        for host in ("a", "b"):
            nodes.put(db, node(host))
        nodes.put(db, node("a", version="26.9", logical_clusters=("x", "y")))
        nodes.keep_only(db, cluster_id, ["a"])
        found = nodes.of_cluster(db, cluster_id)

    assert [(one.host, one.version, one.logical_clusters) for one in found] == [("a", "26.9", ("x", "y"))]


def test_a_name_wins_over_an_address_and_none_is_lost(database: Database) -> None:
    create(database, described("b", "h1"))

    provision(database, described("a", "h1"), described("b", "h2"))

    assert {name: one.description.host for name, one in active(database).items()} == {"a": "h1", "b": "h2"}


@pytest.mark.parametrize("way", ["changed", "revived", "provisioned"])
def test_what_was_seen_at_another_address_is_forgotten(database: Database, way: str) -> None:
    cluster_id = create(database, described())
    seen = Snapshot(cluster_id, "disk", "ch1", "ok", "", NOW, 0.1, 1, NOW, [{"disk": "d"}], [])
    with database.begin() as db:
        nodes.put(db, StoredNode(cluster_id, "ch1", "ch1", 8123, True, True, NOW))
        snapshots.put(db, [seen])
        health_scores.put(db, StoredScore(cluster_id, int(NOW) - 86400, 90.0, "A", {}))
        health_scores.put(db, StoredScore(cluster_id, int(NOW) - 60, 81.5, "B", {}))
    with database.begin() as db:
        if way == "changed":
            clusters.update(db, cluster_id, described(host="elsewhere"), None, NOW)
        elif way == "revived":
            clusters.delete(db, cluster_id, NOW)
            clusters.create(db, described(), None, NOW)
        else:
            clusters.provision(db, [described(host="elsewhere")], NOW, complete=True)

    with database.read() as db:
        assert nodes.of_cluster(db, cluster_id) == []
        assert snapshots.of_cluster(db, cluster_id) == []
        latest = health_scores.latest(db, cluster_id, NOW)
    assert latest is not None
    assert latest.at == int(NOW) - 86400


def test_a_new_name_forgets_nothing(database: Database) -> None:
    cluster_id = create(database, described())
    with database.begin() as db:
        nodes.put(db, StoredNode(cluster_id, "ch1", "ch1", 8123, True, True, NOW))
        clusters.update(db, cluster_id, described("renamed"), None, NOW)
        assert len(nodes.of_cluster(db, cluster_id)) == 1


def test_the_oldest_of_a_file_is_its_first(database: Database) -> None:
    provision(database, *(described(name, f"host-{name}") for name in ("z", "b", "y", "a")))

    assert list(active(database)) == ["z", "b", "y", "a"]
