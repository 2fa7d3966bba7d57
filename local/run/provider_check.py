"""Find out whether the user's own provider answers at all, before anything is built for it or sent to it."""

from batch_client import APIConnectionError, APIStatusError, InvalidArgumentError, ProtocolError
from local.errors import ProviderError
from local.stack.provider_choice import Provider

_REFUSALS = (401, 403)


def check_answers(provider: Provider) -> None:
    """Return when the provider answers in any way but a refused key.

    Raises:
        ProviderError: nothing answers at its address, or it refuses the key.

    """
    try:
        with provider.client() as client:
            client.list_batches(limit=1)
    except ProtocolError:
        return  # it may be no more than unable to list
    except APIConnectionError as error:
        if error.status is None:
            why = error.message.rpartition(": ")[2]
            raise ProviderError(f"Nothing answers at {provider.url} ({why}). Is it up? Nothing was sent.") from error
    except APIStatusError as error:
        if error.status in _REFUSALS:
            raise ProviderError(
                f"{provider.url} refused PROVIDER_API_KEY (HTTP {error.status}). Nothing was sent."
            ) from error
    except InvalidArgumentError as error:
        raise ProviderError(f"{provider.url} cannot be used: {error.message}. Nothing was sent.") from error
