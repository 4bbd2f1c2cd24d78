"""How asking a provider ends other than well; who catches one decides by its type alone."""

from __future__ import annotations


class FetchError(Exception):
    """Base of what asking a provider can raise; the message is one line for people, without any secret."""


class Unavailable(FetchError):
    """Raised when a provider does not answer well now: it is asked again later, whatever number of times.

    Args:
        message: what happened.
        retry_after_s: seconds for which the provider wants to be left alone; None = it did not say.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Offline(Unavailable):
    """Raised when a product lies in an archive: it is ordered where that can be, and asked for again later."""


class Corrupt(FetchError):
    """Raised when what came is not what was promised (size, checksum, archive): tried again, a few times.

    Args:
        message: what came.
        digest: of what came, where it is known: the same one again is no accident on its way.
    """

    def __init__(self, message: str, digest: str = "") -> None:
        super().__init__(message)
        self.digest = digest


class Gone(FetchError):
    """Raised when a product is not there any more."""


class Refused(FetchError):
    """Raised when an answer breaks a rule of ours: a host that is not allowed, a bomb, an endless list.

    The product gets a failure record if that happens again, and is not tried by itself any more; a search gets one at
    once, and is repeated.
    """


class Misconfigured(FetchError):
    """Raised when a person must act: credentials are absent or wrong, an address is not that of a service."""
