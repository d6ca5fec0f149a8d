"""Ray authentication: the token and its file, the dashboard address, and why joining failed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from synaug_ray.common.findings import Finding

LOOPBACK = re.compile(r"(127\.\d+\.\d+\.\d+|localhost|\[?::1\]?)(:\d+)?")
REFUSED = re.compile("unauthenticated|authentication token|InvalidAuthToken", re.IGNORECASE)
SERVED = "anyone who reaches the cluster can run code with your rights"


@dataclass(frozen=True)
class Access:
    """Authentication settings of the environment, and the cluster's dashboard."""

    mode: str | None  # $RAY_AUTH_MODE
    joins: bool  # whether the driver joins an existing cluster, instead of starting one
    holder: str  # where the token is: a variable's name, or a file's path
    permissions: int | None = None  # of that file; None if it does not exist
    dashboard: str = ""  # host:port; empty if there is none

    @property
    def on(self) -> bool:
        """Whether authentication is on; by default it is for a cluster that Ray starts, not for one that it joins."""
        return self.mode == "token" or (self.mode is None and not self.joins)


def access(environment: Mapping[str, str], joins: bool, dashboard: str = "") -> Access:
    """Read a driver's environment like Ray 2.60, with the same order of token sources."""
    mode = environment.get("RAY_AUTH_MODE")
    mode = mode.lower() if mode is not None else None
    if environment.get("RAY_AUTH_TOKEN"):
        return Access(mode, joins, "$RAY_AUTH_TOKEN", dashboard=dashboard)
    path = environment.get("RAY_AUTH_TOKEN_PATH") or os.path.expanduser("~/.ray/auth_token")
    try:
        permissions = stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        permissions = None
    return Access(mode, joins, path, permissions, dashboard)


def auth_findings(found: Access) -> list[Finding]:
    """Findings about the token, and about the dashboard if there is one."""
    file = not found.holder.startswith("$")
    rows = []
    if found.on and file and found.permissions is None and found.joins:
        rows.append(
            Finding(
                "token",
                f"authentication is on, but there is no token at {found.holder}. Copy the "
                "cluster's token there, or set $RAY_AUTH_TOKEN_PATH to its file",
                "problem",
            )
        )
    elif file and found.permissions is not None and found.permissions & 0o077:
        rows.append(
            Finding(
                "token",
                f"{found.holder} is accessible to others (mode {found.permissions:04o}), and "
                f"whoever reads it can run code on the cluster; run: chmod 600 {found.holder}",
                "problem",
            )
        )
    elif found.on:
        where = (
            f"in {found.holder}"
            if not file or found.permissions is not None
            else f"will be created in {found.holder} by the first run"
        )
        rows.append(Finding("token", f"authentication is on; the token is {where}"))
    else:
        said = "$RAY_AUTH_MODE is not set" if found.mode is None else f"RAY_AUTH_MODE={found.mode}"
        rows.append(
            Finding(
                "token",
                f"authentication is off ({said}): {SERVED}. Start the cluster with "
                "RAY_AUTH_MODE=token, and set it here too",
                "note",
            )
        )
    if found.dashboard and not LOOPBACK.fullmatch(found.dashboard):
        rows.append(
            Finding(
                "dashboard",
                f"listens on {found.dashboard} and not only on the loopback"
                + (
                    "; requests without the token are refused, but HTTP sends it in clear text"
                    if found.on
                    else f", without a token: {SERVED}"
                )
                + ". Omit --dashboard-host, and use an ssh tunnel",
                "note",
            )
        )
    elif found.dashboard:
        rows.append(Finding("dashboard", f"listens on {found.dashboard}, on the loopback only"))
    return rows


def why_not_joined(address: str, said: str, found: Access) -> str:
    """Why a cluster could not be joined; ``said`` is Ray's message on one line."""
    versions = re.findall(r"Ray: (\S+) Python: (\S+)", said)
    if len(versions) == 2:
        (ray, python), (our_ray, our_python) = versions
        return (
            f"the Ray cluster at {address} runs ray {ray} and Python {python}, this machine ray {our_ray} and "
            f"Python {our_python}; Ray needs the same versions: use the cluster's Python here, or submit this as a job"
        )
    here = f"RAY_AUTH_MODE ({found.mode or 'not set'}) and the token in {found.holder} must match the cluster's"
    if REFUSED.search(said):
        return f"the Ray cluster at {address} refused the token, or none is set: {here}"
    return (
        f"cannot join the Ray cluster at {address} ({said}); is it running? If so, it may have refused the token: "
        f"{here}. --local runs without Ray"
    )
