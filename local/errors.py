"""What can go wrong on one's own machine, told in words a user can act on.

LocalError                    exit status 1
├── UsageError                exit status 2: the command or a setting
│   ├── ParameterError        a BATCHYARD_ variable
│   └── ProviderUnclearError  only one half of the provider
├── BuildError                a layer or function could not be built
├── DeployError               the engine refused the template
├── ProviderError             the user's own provider does not answer, or refuses the key
├── ProcessEnded              a process of the stack is gone
├── ResultsError              the results cannot be written
└── NoBatchError              nothing became of the input
"""

from typing import ClassVar


class LocalError(Exception):
    """The root of all errors of the local stack; its text is for the user."""

    status: ClassVar[int] = 1


class UsageError(LocalError):
    """The command or a setting cannot be followed."""

    status = 2


class ParameterError(UsageError):
    """A BATCHYARD_ variable names no parameter, or its value does not fit it."""


class ProviderUnclearError(UsageError):
    """Only one half of the provider, its address or its key, is set."""


class BuildError(LocalError):
    """A layer or function could not be built; the text ends with the words of the program that failed."""


class DeployError(LocalError):
    """The stack could not be created; the text names the resources and the reasons."""


class ProviderError(LocalError):
    """The user's own provider does not answer, or refuses the key."""


class ResultsError(LocalError):
    """The results cannot be written where the user wants them."""


class ProcessEnded(LocalError):  # noqa: N818 - a fact about a process, not an error of the program
    """A process of the stack ended by itself; the text names it and its log."""


class NoBatchError(LocalError):
    """The input was dropped and no batch was made of it, or the batch came to a stop without a record of why."""
