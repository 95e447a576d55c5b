"""The only reader of the environment.

`NETSPEC_CACHE` (folder of compiled code) · `NETSPEC_THREADS` · `NETSPEC_TARGET` (compile for a named target instead of this machine's) ·
`NETSPEC_WINOGRAD` (`no`: convolutions in the direct way alone) ·
`NETSPEC_DEBUG` (words, comma-separated: ir, rules, source, asm, time, check).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TextIO

from netspec.diagnostics import UserError, did_you_mean

DEBUG_WORDS = ("ir", "rules", "source", "asm", "time", "check")


def cache_folder() -> Path:
    """The private folder of compiled code, made when missing: NETSPEC_CACHE, else `netspec` in the user's cache folder.

    Compiled code is loaded from it and run, so nobody else may have written there: raises UserError unless it is the user's own, mode 0700.
    """
    named = os.environ.get("NETSPEC_CACHE")
    folder = Path(named).absolute() if named else _user_cache() / "netspec"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat() if not named else folder.stat()
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot use {folder} as the cache of compiled code: {_reason(error)}", _ELSEWHERE) from error
    if problem := _not_private(folder, found):
        raise UserError(*problem)
    return folder


_ELSEWHERE = "set NETSPEC_CACHE to a folder of your own"


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base) if base and Path(base).is_absolute() else Path("~/.cache").expanduser()


def _reason(error: Exception) -> str:
    return error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)


def _not_private(folder: Path, found: os.stat_result) -> tuple[str, str] | None:
    what = f"the cache of compiled code, {folder},"
    if not stat.S_ISDIR(found.st_mode):
        return f"{what} is not a folder", _ELSEWHERE
    if not hasattr(os, "getuid"):  # Windows: a user's folder is private by its access list
        return None
    if found.st_uid != os.getuid():
        return f"{what} belongs to user {found.st_uid}, not to {os.getuid()}, who runs this", _ELSEWHERE
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        return f"{what} is open to others (mode {mode:04o}): what it holds would be run", f"chmod 700 {folder}"
    return None


def threads() -> int:
    """How many threads to compute with: NETSPEC_THREADS, else the cores that this process may use. Raises UserError."""
    named = os.environ.get("NETSPEC_THREADS")
    if named is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not named.isdecimal() or int(named) == 0:
        raise UserError(f"NETSPEC_THREADS is a number of at least 1, got {named!r}")
    return int(named)


def wait_briefly() -> None:
    """Let OpenMP's threads spin for some 0.1 ms before they sleep, unless the user says how they wait. For libgomp, before it is loaded.

    Its default, some 10 ms, is no faster on a quiet machine and tens of times slower where other processes want the same cores.
    """
    if not any(name in os.environ for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")):
        os.environ["GOMP_SPINCOUNT"] = "2000"


def of_worker(threads: int) -> dict[str, str]:
    """The environment of a process of the bench: this one's, with what libraries read before they are told how many threads to use.

    All of them wait as briefly as netspec does: with libgomp's default a library is tens of times slower while anything else runs.
    """
    wait_briefly()
    here = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "ignore"}
    return {**os.environ, **quiet, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": path}


def target() -> str | None:
    """The target that NETSPEC_TARGET names, None for this machine's own."""
    return os.environ.get("NETSPEC_TARGET") or None


def winograd() -> bool:
    """Whether convolutions may go by Winograd's tiles: NETSPEC_WINOGRAD, `yes` or `no`, yes if it is not set. Raises UserError."""
    named = os.environ.get("NETSPEC_WINOGRAD") or "yes"
    if named not in ("yes", "no"):
        raise UserError(f"NETSPEC_WINOGRAD is yes or no, got {named!r}")
    return named == "yes"


def colour(stream: TextIO) -> bool:
    """Whether to write colours: to a terminal, unless NO_COLOR is set (no-color.org) or it can show none."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def debug() -> frozenset[str]:
    """The words of NETSPEC_DEBUG; raises UserError for one that does not exist."""
    words = frozenset(word.strip() for word in os.environ.get("NETSPEC_DEBUG", "").split(",") if word.strip())
    for word in sorted(words - set(DEBUG_WORDS)):
        raise UserError(f"NETSPEC_DEBUG has no word {word!r}", did_you_mean(word, DEBUG_WORDS))
    return words
