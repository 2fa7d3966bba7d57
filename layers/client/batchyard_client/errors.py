"""What goes wrong for a person, in words, with the exit status of the command.

FrontError
├── UsageFault    2: the command, a setting or the input is wrong; nothing was sent
│   └── OtherInput   … the input is not the one that was sent: its rows would get answers of others
├── Refused       3: the service refuses what was asked
├── Stopped       4: not finished; the same command goes on
└── TableError    2: a table, or what was asked of it, is wrong (its kinds are in `tables.errors`)
"""

ALL_GOOD, SOME_FAILED = 0, 1


class FrontError(Exception):
    """Say in one sentence what is wrong and what to do."""

    #: The exit status of the command.
    status = 3


class UsageFault(FrontError):  # noqa: N818 - a fault of the caller, as the exit status says
    """Report a wrong command, setting or input; nothing was sent."""

    status = 2


class OtherInput(UsageFault):
    """Report an input that is not the one of the batch: its rows would get answers of others."""


class Refused(FrontError):  # noqa: N818 - what the service did
    """Report that the service refuses what was asked."""


class Stopped(FrontError):  # noqa: N818 - the state, as the exit status says
    """Report that the work is not finished, and that the same command goes on."""

    status = 4
