"""`dashboards push` and `diff` against a stand-in for Grafana: what is done, what is refused, what is said.

No real Grafana can be had where these tests run; the stand-in follows its documentation and source.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from grafana import files, talking
from grafana.failures import GrafanaError
from grafana.talking import Talking
from tests.grafana.commanding import dashboards
from tests.servers.certificates import Certificates
from tests.servers.grafana import LOGIN_PAGE, TOKEN, Answer, GrafanaStub
from tests.servers.misbehaving import ClosingPeer, DrippingPeer, GarbagePeer, Peer, SilentPeer

OURS = files.shipped()
UIDS = [one["uid"] for one in OURS]
FLEET = next(one for one in OURS if one["uid"] == "clustersight-fleet")
ONLY = ("--only", FLEET["uid"])
SAVE = "/api/dashboards/db"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between tries, and no proxy of this machine's."""
    monkeypatch.setattr(talking, "PAUSE_SECONDS", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def stub() -> Iterator[GrafanaStub]:
    with GrafanaStub() as server:
        yield server


def changed(dashboard: Any, title: str = "Nodes up") -> Any:
    """The dashboard with another expression in a panel."""
    found = copy.deepcopy(dashboard)
    panel = next(panel for panel in found["panels"] if panel["title"] == title)
    panel["targets"][0]["expr"] = "vector(1)"
    return found


def test_all_are_created_then_unchanged_then_the_same(stub: GrafanaStub) -> None:
    first = dashboards("push", stub.url, "--message", "commit abc")
    assert (first.exit_code, first.stderr) == (0, f"{len(OURS)} dashboards: {len(OURS)} created\n")
    assert first.stdout.splitlines()[0] == "created    folder ClickHouse"
    assert f"created    ClickHouse fleet  {stub.url}/d/clustersight-fleet" in first.stdout.splitlines()
    assert list(stub.folders.values()) == ["ClickHouse"]
    assert sorted(stub.dashboards) == sorted(UIDS)
    assert {one.message for one in stub.dashboards.values()} == {"commit abc"}
    assert {one.folder for one in stub.dashboards.values()} == set(stub.folders)
    stub.requests.clear()
    second = dashboards("push", stub.url)
    assert (second.exit_code, second.stderr) == (0, f"{len(OURS)} dashboards: {len(OURS)} unchanged\n")
    assert stub.writes == []
    same = dashboards("diff", stub.url)
    assert same.exit_code == 0
    assert same.stdout == "".join(f"{uid}: same\n" for uid in UIDS)


def test_a_difference_is_told_and_pushed(stub: GrafanaStub) -> None:
    stub.folders["f"] = "ClickHouse"
    for one in OURS:
        stub.keep(changed(one) if one is FLEET else one, folder="f")
    found = dashboards("diff", stub.url)
    assert found.exit_code == 2
    assert (
        "clustersight-fleet: differs\n"
        '    panel "Nodes up": query "A": expr: "vector(1)" ->'
        ' "sum(clickhouse_up{cluster=~\\"$cluster\\"})"\n'
    ) in found.stdout
    assert found.stderr.endswith(f"{len(OURS) - 1} same, 1 to push, 0 not compared\n")
    pushed = dashboards("push", stub.url)
    assert pushed.stderr == f"{len(OURS)} dashboards: 1 updated, {len(OURS) - 1} unchanged\n"
    assert stub.writes == [("POST", SAVE)]
    assert dashboards("diff", stub.url).exit_code == 0


def test_what_is_missing_is_a_difference(stub: GrafanaStub) -> None:
    result = dashboards("diff", stub.url)
    assert result.exit_code == 2
    assert "clustersight-fleet: missing in Grafana\n" in result.stdout
    assert stub.writes == []


def test_a_dry_run_changes_nothing(stub: GrafanaStub) -> None:
    stub.folders["f"] = "Other"
    stub.keep(FLEET, folder="f")
    result = dashboards("push", "--dry-run", stub.url)
    assert result.exit_code == 0
    assert "would be created    folder ClickHouse\n" in result.stdout
    assert f"would be moved      ClickHouse fleet  {stub.url}/d/clustersight-fleet\n" in result.stdout
    assert stub.writes == []


def test_the_address_of_the_api_is_put_in(stub: GrafanaStub) -> None:
    dashboards("push", stub.url, "--api-url", "https://cs.example/api/", *ONLY)
    found = stub.dashboards[FLEET["uid"]].dashboard["templating"]["list"]
    assert [one["query"] for one in found if one["name"] == "api"] == ["https://cs.example/api"]
    assert dashboards("push", stub.url, "--api-url", "https://cs.example/api", *ONLY).stderr.endswith(
        "1 unchanged\n"
    )
    without = dashboards("diff", stub.url)
    assert 'variable "api": query: "https://cs.example/api" -> "http://127.0.0.1:3001"' in without.stdout


def test_a_dashboard_comes_into_the_folder_and_moves_back_into_it(stub: GrafanaStub) -> None:
    stub.page = 2  # fewer than one asks for
    stub.folders.update({f"f{number}": f"Folder {number}" for number in range(5)})
    dashboards("push", stub.url, "--folder", "Folder 4", *ONLY)
    assert stub.dashboards[FLEET["uid"]].folder == "f4"
    assert len(stub.folders) == 5
    moved = dashboards("push", stub.url, "--folder", "Folder 1", *ONLY)
    assert moved.stdout.startswith("moved ")
    assert stub.dashboards[FLEET["uid"]].folder == "f1"


def test_two_folders_of_one_name_are_not_guessed_at(stub: GrafanaStub) -> None:
    stub.folders.update(a="ClickHouse", b="ClickHouse")
    result = dashboards("push", stub.url)
    assert (result.exit_code, stub.writes) == (1, [])
    assert "there are 2 folders 'ClickHouse': rename one" in result.stderr


def test_what_is_somebody_elses_is_left_unless_forced(stub: GrafanaStub) -> None:
    stub.keep(FLEET | {"tags": ["theirs"], "title": "Theirs\x1b[31m"})
    refused = dashboards("push", stub.url)
    assert refused.exit_code == 1
    assert "has this uid and not the tag clustersight: it is somebody else's" in refused.stderr
    assert "\x1b" not in refused.output
    assert f"{len(OURS) - 1} created, 1 not pushed (clustersight-fleet)" in refused.stderr
    assert stub.dashboards[FLEET["uid"]].dashboard["tags"] == ["theirs"]
    assert dashboards("push", stub.url, "--overwrite-foreign").exit_code == 0
    assert stub.dashboards[FLEET["uid"]].dashboard["tags"] == ["clustersight"]


def test_a_dashboard_of_the_same_title_is_never_replaced(stub: GrafanaStub) -> None:
    stub.folders["f"] = "ClickHouse"
    stub.keep({"uid": "theirs", "title": FLEET["title"]}, folder="f")
    result = dashboards("push", stub.url, "--overwrite-foreign", *ONLY)
    assert result.exit_code == 1
    assert "same name in the folder already exists; rename or remove that one, or choose" in result.stderr
    assert "theirs" in stub.dashboards


def test_a_provisioned_one_is_only_changed_in_its_file(stub: GrafanaStub) -> None:
    stub.keep(changed(FLEET), file="fleet.json")
    differs = dashboards("diff", stub.url)
    assert "clustersight-fleet: differs (provisioned from a file, which a push cannot" in differs.stdout
    refused = dashboards("push", stub.url, *ONLY)
    assert refused.exit_code == 1
    assert "is provisioned from a file" in refused.stderr
    assert "(fleet.json)" in refused.stderr
    assert ("POST", SAVE) not in stub.writes
    stub.keep(FLEET, file="fleet.json")
    assert dashboards("push", stub.url, *ONLY).stderr == "1 dashboard: 1 unchanged\n"


@pytest.mark.parametrize("status", [400, 412])
def test_one_that_turns_out_to_be_provisioned_says_so(stub: GrafanaStub, status: int) -> None:
    stub.fault("POST", SAVE, Answer(status, {"message": "Cannot save provisioned dashboard"}))
    result = dashboards("push", stub.url)
    assert result.exit_code == 1
    assert f"{UIDS[0]}: is provisioned from a file: Grafana lets nobody" in result.stderr
    assert f"{len(OURS) - 1} created, 1 not pushed ({UIDS[0]})" in result.stderr


def test_a_passing_fault_is_tried_again_and_one_that_stays_is_told(stub: GrafanaStub) -> None:
    down = Answer(503, LOGIN_PAGE)
    stub.fault("POST", SAVE, Answer(500, {"message": "database is locked"}), down)
    assert dashboards("push", stub.url).exit_code == 0
    stub.dashboards.clear()
    stub.fault("POST", SAVE, *[Answer(500, {"message": f"database is locked {TOKEN}"})] * 3)
    result = dashboards("push", stub.url)
    assert result.exit_code == 1
    assert f"{UIDS[0]}: answers 500 (database is locked [hidden]); try again later" in result.stderr
    assert len(stub.dashboards) == len(OURS) - 1


def test_what_was_saved_though_the_answer_said_502_is_not_a_failure(stub: GrafanaStub) -> None:
    stub.keep(changed(FLEET))
    stub.fault("POST", SAVE, Answer(502, LOGIN_PAGE, after=True))
    assert dashboards("push", stub.url, *ONLY).stderr == "1 dashboard: 1 updated\n"
    assert stub.dashboards[FLEET["uid"]].dashboard["version"] == 4


def test_one_that_changed_meanwhile_is_not_overwritten(stub: GrafanaStub) -> None:
    stub.keep(changed(FLEET))
    mismatch = {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
    stub.fault("POST", SAVE, Answer(412, mismatch))
    result = dashboards("push", stub.url, *ONLY)
    assert result.exit_code == 1
    assert "412: The dashboard has been changed by someone else; push again" in result.stderr


def test_a_folder_is_not_asked_for_twice(stub: GrafanaStub) -> None:
    stub.fault("POST", "/api/folders", Answer(500, {}))
    result = dashboards("push", stub.url)
    assert result.exit_code == 1
    assert result.stderr == "folder ClickHouse: answers 500; try again later\n"
    assert stub.writes == [("POST", "/api/folders")]


DENIED = Answer(403, {"message": "You'll need additional permissions"})


@pytest.mark.parametrize(
    ("method", "path", "missing"),
    [
        ("GET", "/api/folders", "folders:read"),
        ("POST", "/api/folders", "folders:create"),
        ("GET", "/api/dashboards/uid", "dashboards:read"),
        ("POST", SAVE, "dashboards:create"),
    ],
)
def test_a_permission_that_the_token_lacks_is_named(
    stub: GrafanaStub, method: str, path: str, missing: str
) -> None:
    stub.fault(method, path, DENIED)
    result = dashboards("push", stub.url, *ONLY)
    assert result.exit_code == 1
    assert f"403: the token lacks the permission {missing}; the role Editor has it" in result.stderr


def test_to_change_one_takes_another_permission(stub: GrafanaStub) -> None:
    stub.keep(changed(FLEET))
    stub.fault("POST", SAVE, DENIED)
    assert "permission dashboards:write" in dashboards("push", stub.url, *ONLY).stderr


def test_one_that_cannot_be_compared_leaves_the_others(stub: GrafanaStub) -> None:
    stub.fault("GET", "/api/dashboards/uid", DENIED)
    result = dashboards("diff", stub.url)
    assert result.exit_code == 1
    assert result.stderr.endswith(f"0 same, {len(OURS) - 1} to push, 1 not compared\n")


def test_without_a_token_or_with_a_wrong_one(stub: GrafanaStub, tmp_path: Path) -> None:
    without = dashboards("diff", stub.url, token=None)
    assert without.exit_code == 1
    assert without.stderr == f"{stub.url}: 401: {talking.NO_TOKEN}\n"
    wrong = dashboards("push", stub.url, token="glsa_wrong")
    assert wrong.exit_code == 1
    assert f"{stub.url}: 401: {talking.BAD_TOKEN}\n" in wrong.stderr
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert dashboards("diff", stub.url, "--token-file", file, token="glsa_wrong").exit_code == 2
    stub.token = None
    assert dashboards("diff", stub.url, token=None).exit_code == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(302, "", {"Location": "/login?state=abc"}), "/login: give that address if it is Grafana's"),
        (Answer(200, LOGIN_PAGE), "answers 200 without JSON: a login page in front of Grafana"),
        (Answer(403, LOGIN_PAGE), "403, and not from Grafana: a proxy in front of it lets nobody in"),
        (Answer(404, LOGIN_PAGE), "404: there is no Grafana; has its address a path"),
        (Answer(200, {"status": "up"}), "does not answer as Grafana"),
    ],
)
def test_what_is_no_grafana_is_told(stub: GrafanaStub, answer: Answer, said: str) -> None:
    stub.fault("GET", "/api/health", answer)
    result = dashboards("push", stub.url)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{stub.url}: ")
    assert said in result.stderr
    assert "state=abc" not in result.stderr
    assert result.stderr.count("\n") == 1


def test_one_that_breaks_off_in_the_middle_ends_it_and_says_what_is_left(stub: GrafanaStub) -> None:
    stub.fault("GET", f"/api/dashboards/uid/{UIDS[2]}", Answer(200, LOGIN_PAGE))
    result = dashboards("push", stub.url)
    assert result.exit_code == 1
    assert f"2 created, {len(OURS) - 2} not pushed ({', '.join(UIDS[2:])})" in result.stderr
    assert dashboards("push", stub.url).exit_code == 0


@pytest.mark.parametrize("answer", [Answer(200, []), Answer(200, {"dashboard": [], "meta": {}})])
def test_an_answer_of_another_shape_is_told(stub: GrafanaStub, answer: Answer) -> None:
    stub.fault("GET", "/api/dashboards/uid", answer)
    assert "does not answer as Grafana" in dashboards("diff", stub.url).stderr


@contextmanager
def peer(kind: type[Peer]) -> Iterator[str]:
    with kind() as one:
        yield f"http://127.0.0.1:{one.port}"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (SilentPeer, "no answer within 0.2 s; --timeout allows more"),
        (DrippingPeer, "no answer within 0.2 s; --timeout allows more"),
        (ClosingPeer, "cannot be reached"),
        (GarbagePeer, "cannot be reached"),
    ],
)
def test_one_that_does_not_answer_is_told(kind: type[Peer], said: str) -> None:
    with peer(kind) as url:
        result = dashboards("push", url, "--timeout", "200ms")
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_nobody_there_is_told() -> None:
    result = dashboards("diff", "http://127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be reached (ConnectionError); is it running there?" in result.stderr


def test_tls_is_checked(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    with GrafanaStub(certificate=certificates.valid) as stub:
        refused = dashboards("diff", stub.url)
        assert refused.exit_code == 1
        assert "TLS fails; for an authority of your own set REQUESTS_CA_BUNDLE" in refused.stderr
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.authority))
        assert dashboards("diff", stub.url).exit_code == 2


def test_a_grafana_below_a_path(stub: GrafanaStub) -> None:
    with GrafanaStub(prefix="/grafana") as below:
        assert dashboards("push", f"{below.url}/").exit_code == 0
        assert f"{below.url}/d/clustersight-fleet" in dashboards("push", below.url).stdout
        assert "has its address a path" in dashboards("diff", below.url.removesuffix("/grafana")).stderr


def test_a_proxy_of_the_environment_is_used(stub: GrafanaStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", stub.url)
    monkeypatch.setenv("http_proxy", stub.url)
    assert dashboards("diff", "http://grafana.invalid").exit_code == 2


def test_the_password_of_a_netrc_does_not_replace_the_token(
    stub: GrafanaStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert dashboards("diff", stub.url).exit_code == 2


def test_an_old_grafana_is_warned_of() -> None:
    with GrafanaStub(version="9.5.2") as old:
        assert (
            "Grafana 9.5.2: these dashboards are made for 10 and later" in dashboards("diff", old.url).stderr
        )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "Missing argument 'URL'"),
        (["grafana.example"], "is no URL"),
        (["localhost:3000"], "is no URL"),
        (["http://admin:hunter2@g"], "basic authentication is not supported: use the token of a service"),
        (["http://h?orgId=1"], "must be an address alone"),
        (["http://h", "--api-url", "cs.example"], "is no URL"),
        (["http://h", "--token-file", "nowhere"], "nowhere: cannot be read"),
        (["http://h", "--timeout", "soon"], "must be a duration"),
        (["http://h", "--token", "x"], "No such option"),
    ],
)
@pytest.mark.parametrize("command", ["push", "diff"])
def test_a_wrong_call_is_64(command: str, wrong: list[str], said: str) -> None:
    result = dashboards(command, *wrong)
    assert result.exit_code == 64
    assert said in result.stderr
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--only", "clustersight-flet"], "did you mean clustersight-fleet?"),
        (["--only", "x"], "there are clustersight-"),
        (["--folder", " "], "must be the title of a folder"),
        (["--message", "m" * 501], "at most 500 characters"),
    ],
)
def test_a_wrong_push_is_64(wrong: list[str], said: str) -> None:
    result = dashboards("push", "http://127.0.0.1:1", *wrong)
    assert result.exit_code == 64
    assert said in result.stderr


@pytest.mark.parametrize("token", ["two words", "glsa_\x1b", "über"])
def test_what_is_no_token_is_64_and_not_shown(token: str) -> None:
    result = dashboards("push", "http://127.0.0.1:1", token=token)
    assert result.exit_code == 64
    assert result.stderr == "GRAFANA_TOKEN: holds no token; it is one word, such as glsa_…\n"


def test_pauses_grow_and_end(stub: GrafanaStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talking, "PAUSE_SECONDS", 0.5)
    slept: list[float] = []
    stub.fault("GET", "/api/health", *[Answer(503)] * 9)
    with pytest.raises(GrafanaError, match="answers 503"):
        Talking(stub.url, TOKEN, seconds=5, sleep=slept.append).ask("GET", "/api/health")
    assert slept == [0.5, 1.0]
    assert TOKEN not in repr(Talking(stub.url, TOKEN, seconds=5))
