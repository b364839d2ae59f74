"""Grafana's HTTP API, as far as dashboards need it: folders and dashboards (Grafana 10 and later)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from grafana.failures import GrafanaChangedError, GrafanaError, GrafanaUnusableError
from grafana.talking import Answer, Talking

Json = dict[str, Any]
_PAGE = 1000
# A million folders; a Grafana that always answers with new ones is none.
_MOST_PAGES = 1000
_LONGEST_NAME = 100
PROVISIONED = (
    "is provisioned from a file: Grafana lets nobody else change it. Replace that file,"
    " or take it out of the provisioning and push then"
)
_REMEDIES = {
    "version-mismatch": "; push again",
    "name-exists": "; rename or remove that one, or choose another --folder",
}


@dataclass(frozen=True, slots=True)
class Existing:
    """A dashboard as Grafana has it. `folder` is the uid of its folder, empty at the top."""

    dashboard: Json
    version: int
    folder: str
    is_provisioned: bool
    file: str


class Grafana:
    """Everything raises GrafanaError, of which GrafanaUnusableError means that nothing else will do."""

    def __init__(self, talking: Talking) -> None:
        self._talking = talking

    def url_of(self, uid: str) -> str:
        """Where a person looks at a dashboard."""
        return f"{self._talking.url}/d/{uid}"

    def version(self) -> str:
        """Which Grafana this is; empty if it does not tell. Raises GrafanaUnusableError if it is none."""
        answer = self._talking.ask("GET", "/api/health")
        if not (answer.is_good and isinstance(answer.body, dict) and "database" in answer.body):
            raise self._unlike()
        return str(answer.body.get("version", ""))[:_LONGEST_NAME]

    def dashboard(self, uid: str) -> Existing | None:
        """None: there is none."""
        answer = self._talking.ask(
            "GET", f"/api/dashboards/uid/{quote(uid, safe='')}", needs="dashboards:read"
        )
        if answer.status == 404:
            return None
        _good(answer)
        try:
            return _existing(answer.body)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise self._unlike() from None

    def folder(self, title: str) -> str | None:
        """The uid of the folder at the top with this title; None: there is none."""
        found = [uid for uid, name in self._folders().items() if name == title]
        if len(found) > 1:
            raise GrafanaError(f"there are {len(found)} folders {title!r}: rename one, or choose another")
        return found[0] if found else None

    def _folders(self) -> dict[str, str]:
        """Page by page: some versions give fewer than one asks for, so the end is where nothing new comes."""
        found: dict[str, str] = {}
        for page in range(1, _MOST_PAGES + 1):
            answer = self._talking.ask("GET", f"/api/folders?limit={_PAGE}&page={page}", needs="folders:read")
            _good(answer)
            try:
                new = {str(one["uid"]): str(one["title"]) for one in answer.body} | found
            except (LookupError, TypeError):
                raise self._unlike() from None
            if len(new) == len(found):
                break
            found = new
        return found

    def create_folder(self, title: str) -> str:
        """Its uid, which Grafana chooses."""
        # Not tried again: it might be there twice then.
        answer = self._talking.ask(
            "POST", "/api/folders", body={"title": title}, needs="folders:create", again=False
        )
        if answer.status in (409, 412):
            raise GrafanaError("a folder of this name is hidden from this token: choose another --folder")
        _good(answer)
        try:
            return str(answer.body["uid"])
        except (LookupError, TypeError):
            raise self._unlike() from None

    def save(self, dashboard: Json, *, folder: str, message: str, version: int | None) -> None:
        """Create it (`version` None), or put it in the place of that version.

        Raises GrafanaChangedError if it is not that version any more, or its title is taken.
        """
        # Never with `overwrite`: up to Grafana 10 that replaces whatever has the same title in the folder.
        body = {
            "dashboard": dashboard | ({} if version is None else {"version": version}),
            "folderUid": folder,
            "message": message,
            "overwrite": False,
        }
        needs = "dashboards:create" if version is None else "dashboards:write"
        answer = self._talking.ask("POST", "/api/dashboards/db", body=body, needs=needs)
        if answer.status in (400, 412) and "provisioned" in answer.said.lower():
            raise GrafanaError(PROVISIONED)
        _good(answer)

    def _unlike(self) -> GrafanaUnusableError:
        return GrafanaUnusableError(f"{self._talking.url}: does not answer as Grafana; is this its address?")


def _good(answer: Answer) -> None:
    if answer.is_good:
        return
    word = str(answer.body.get("status", "")) if isinstance(answer.body, dict) else ""
    kind = GrafanaChangedError if answer.status in (409, 412) else GrafanaError
    said = answer.said or "Grafana does not say why"
    raise kind(f"{answer.status}: {said}{_REMEDIES.get(word, '')}")


def _existing(body: Any) -> Existing:
    dashboard, meta = body["dashboard"], body["meta"]
    return Existing(
        dict(dashboard),
        int(dashboard.get("version") or 0),
        str(meta.get("folderUid") or ""),
        # With allowUiUpdates it is false: such a one takes a push, until its file changes.
        bool(meta.get("provisioned")),
        str(meta.get("provisionedExternalId") or "")[:_LONGEST_NAME],
    )
