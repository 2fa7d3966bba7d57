"""The errors of the local stack; each text is for the user, who can act on it.

LocalError                    exit status 1
├── UsageError                exit status 2: a wrong command or setting
│   ├── ParameterError        a BATCHYARD_ variable
│   └── ProviderUnclearError  only the address or only the key of the provider
├── BuildError                a layer or function could not be built
├── DeployError               the engine refused the template
├── ProviderError             the user's own provider does not answer, or refuses the key
├── ProcessEnded              a process of the stack has ended
├── ResultsError              the results cannot be written
├── DiskFullError             the disk that the stack works on is full
└── NoBatchError              the input became no batch
"""

from typing import ClassVar


class LocalError(Exception):
    """The root of all errors of the local stack."""

    status: ClassVar[int] = 1


class UsageError(LocalError):
    """The command or a setting cannot be followed."""

    status = 2


class ParameterError(UsageError):
    """A BATCHYARD_ variable names no parameter, or its value does not fit the parameter."""


class ProviderUnclearError(UsageError):
    """Only the address or only the key of the provider is set."""


class BuildError(LocalError):
    """A layer or function could not be built; the text ends with the message of the program that failed."""


class DeployError(LocalError):
    """The stack could not be created; the text names the resources and the reasons."""


class ProviderError(LocalError):
    """The user's own provider does not answer, or refuses the key."""


class ResultsError(LocalError):
    """The results cannot be written where the user wants them."""


class DiskFullError(LocalError):
    """The disk that the stack works on is full."""


class ProcessEnded(LocalError):  # noqa: N818 - a fact about a process, not an error of the program
    """A process of the stack ended by itself; the text names it and its log."""


class NoBatchError(LocalError):
    """No batch was made of the input, or the batch stopped without a record that says why."""
