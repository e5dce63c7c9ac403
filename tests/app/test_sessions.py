"""A restart of the server does not lock out the pages that had its token; nobody else gets in by that."""

from pathlib import Path

import pytest
from prunescope.app.server import create_app
from prunescope.app.sessions import remembered_session
from prunescope.app.settings import Settings
from prunescope.engine.store import Store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("sys.platform", "linux")
    return tmp_path / "state"


def files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def test_each_folder_of_runs_has_one_secret_that_lies_elsewhere_and_only_its_user_can_read(tmp_path, home):
    first = remembered_session(tmp_path / "runs")
    assert first == remembered_session(tmp_path / "x" / ".." / "runs")
    assert first != remembered_session(tmp_path / "other")
    assert not (tmp_path / "runs").exists()
    assert [path.stat().st_mode & 0o777 for path in files(home)] == [0o600, 0o600]


@pytest.mark.parametrize("harm", ["open to others", "cut short", "empty"])
def test_a_secret_that_may_be_known_or_is_damaged_is_not_used(tmp_path, home, harm):
    known = remembered_session(tmp_path)
    (path,) = files(home)
    if harm == "open to others":
        path.chmod(0o644)
    else:
        path.write_text(known[:20] if harm == "cut short" else "")
    assert remembered_session(tmp_path) == ""


def test_where_nothing_can_be_kept_every_launch_stands_alone(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert remembered_session(tmp_path) == ""
    settings = Settings(logdir=tmp_path, session=remembered_session(tmp_path))
    assert settings.session == settings.token


def test_after_a_restart_the_page_may_still_change_things_and_the_old_address_lets_nobody_in(tmp_path):
    store = Store(tmp_path / "runs")
    session = remembered_session(store.root)
    before, after = (Settings(logdir=store.root, session=session) for _ in range(2))
    browser = create_app(store, before).server.test_client()
    cookie = browser.get(f"/?token={before.token}").headers["Set-Cookie"]
    assert before.token not in cookie
    restarted = create_app(store, after).server.test_client()
    name, value = cookie.split(";")[0].split("=", 1)
    restarted.set_cookie(name, value)
    assert restarted.get("/api/session").json["may_change"] is True
    stranger = create_app(store, after).server.test_client()
    assert "Set-Cookie" not in stranger.get(f"/?token={before.token}").headers
    # What lies in the cookie is good in a cookie only: it never travels in an address or a script.
    assert "Set-Cookie" not in stranger.get(f"/?token={session}").headers
    assert stranger.get("/api/session", headers={"Authorization": f"Bearer {session}"}).json["may_change"] is False


def test_a_server_that_other_machines_reach_forgets_at_every_launch(tmp_path):
    from prunescope.app.cli import _parser
    from prunescope.app.commands.ui import settings_from

    def settings(*flags: str) -> Settings:
        return settings_from(_parser().parse_args(["ui", "--logdir", str(tmp_path), *flags]))

    assert settings().session == settings().session != settings().token
    assert settings("--host", "0.0.0.0").session != settings("--host", "0.0.0.0").session
    assert settings("--token", "x" * 20).session == "x" * 20
