"""The environment, and a cache that nobody else can have written to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netspec import settings
from netspec.diagnostics import UserError


def test_a_folder_is_made_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path / "a" / "b"))
    folder = settings.cache_folder()
    assert folder == tmp_path / "a" / "b"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert settings.cache_folder() == folder


def test_the_users_cache_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETSPEC_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert settings.cache_folder() == tmp_path / "xdg" / "netspec"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert settings.cache_folder() == tmp_path / "home" / ".cache" / "netspec"


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o1777, 0o720])
def test_a_folder_open_to_others_is_refused_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(mode)
    monkeypatch.setenv("NETSPEC_CACHE", str(folder))
    with pytest.raises(UserError, match=rf"open to others \(mode {mode:04o}\)") as caught:
        settings.cache_folder()
    assert caught.value.help == f"chmod 700 {folder}"


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSPEC_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(UserError, match="belongs to user") as caught:
        settings.cache_folder()
    assert caught.value.help == "set NETSPEC_CACHE to a folder of your own"


def test_a_link_in_the_default_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "netspec").symlink_to(tmp_path / "elsewhere")
    monkeypatch.delenv("NETSPEC_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UserError, match="is not a folder"):
        settings.cache_folder()


def test_a_file_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("NETSPEC_CACHE", str(path))
        with pytest.raises(UserError, match=r"cannot use .* as the cache of compiled code"):
            settings.cache_folder()


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETSPEC_THREADS", raising=False)
    assert settings.threads() >= 1
    monkeypatch.setenv("NETSPEC_THREADS", "3")
    assert settings.threads() == 3
    for wrong in ("0", "-1", "two", ""):
        monkeypatch.setenv("NETSPEC_THREADS", wrong)
        with pytest.raises(UserError, match="NETSPEC_THREADS is a number of at least 1"):
            settings.threads()


def test_debug_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSPEC_DEBUG", "ir, time,")
    assert settings.debug() == {"ir", "time"}
    monkeypatch.setenv("NETSPEC_DEBUG", "sorce")
    with pytest.raises(UserError, match="no word 'sorce'") as caught:
        settings.debug()
    assert caught.value.help == "did you mean `source`?"


def test_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSPEC_TARGET", "avx2")
    assert settings.target() == "avx2"
    monkeypatch.setenv("NETSPEC_TARGET", "")
    assert settings.target() is None


def test_winograd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETSPEC_WINOGRAD", raising=False)
    assert settings.winograd()
    monkeypatch.setenv("NETSPEC_WINOGRAD", "no")
    assert not settings.winograd()
    monkeypatch.setenv("NETSPEC_WINOGRAD", "maybe")
    with pytest.raises(UserError, match="NETSPEC_WINOGRAD is yes or no, got 'maybe'"):
        settings.winograd()
