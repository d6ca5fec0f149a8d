"""What a process is started in, and libraries take for granted: a working directory, and a user who has a name."""

from __future__ import annotations

import getpass
import os

from synaug_ray.common.errors import Message, StorageProblem


def check_working_directory() -> None:
    """Refuse a working directory that was deleted or moved away: torch and Ray ask for its path in the midst of a run.

    Raises:
        StorageProblem: with the path that the shell remembers.
    """
    try:
        os.getcwd()
    except OSError as error:
        named = os.environ.get("PWD", "")
        raise StorageProblem(
            Message(
                f"the working directory{f' {named}' if named else ''} is not there any more ({error.strerror}); go to "
                "a folder that is (if it was made again, `cd .` does), and give the command once more",
                code="no-working-directory",
                value=named,
            )
        ) from None


def name_the_user() -> None:
    """Give a user without a name, as a container's ``--user 12345`` is, the number for one.

    torch and other libraries name folders for temporary files after the user, and fail where there is no name.
    """
    try:
        getpass.getuser()
    except (KeyError, ImportError, OSError):  # which one depends on Python's version
        os.environ["LOGNAME"] = str(os.getuid())
