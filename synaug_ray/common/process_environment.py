"""What libraries take for granted in a process: an existing working directory, and a user with a name."""

from __future__ import annotations

import getpass
import os

from synaug_ray.common.errors import Message, StorageProblem


def check_working_directory() -> None:
    """Refuse a working directory that was deleted or moved: torch and Ray would fail on it in the middle of a run.

    Raises:
        StorageProblem: with the path that the shell remembers.
    """
    try:
        os.getcwd()
    except OSError as error:
        named = os.environ.get("PWD", "")
        raise StorageProblem(
            Message(
                f"the working directory{f' {named}' if named else ''} no longer exists ({error.strerror}); change to "
                "a folder that does (`cd .` if it has been recreated), and run the command again",
                code="no-working-directory",
                value=named,
            )
        ) from None


def ensure_user_name() -> None:
    """Use the number of a user without a name, such as a container's ``--user 12345``, as the name.

    torch and other libraries name temporary folders after the user, and fail if there is no name.
    """
    try:
        getpass.getuser()
    except (KeyError, ImportError, OSError):  # which one depends on the Python version
        os.environ["LOGNAME"] = str(os.getuid())
