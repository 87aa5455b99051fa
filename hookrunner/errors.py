"""Every exception that hookrunner raises, and the exit status that each ends a command with.

An exception means that hookrunner could not do, or could not know, something.
What an update did is a value (`hookrunner.model.Step`), and so is a push that nobody wants.

Source:
    Exit statuses: sysexits(3), https://man.freebsd.org/cgi/man.cgi?query=sysexits
"""


class HookrunnerError(Exception):
    """Something that hookrunner could not do or could not know.

    Attributes:
        exit_code: The status that a command ends with.
        http_status: The status that a request ends with.
        hint: What the reader may do about it, or None.
    """

    exit_code = 70
    http_status = 500

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(HookrunnerError):
    """The configuration is wrong, at a known place.

    Args:
        message: What is wrong, without the place.
        file: The name of the file, or None where no file is involved.
        line: Counted from 1, or None where the whole file is meant.
        column: Counted from 1, or None.
        hint: What to do about it.
    """

    exit_code = 78
    http_status = 422

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
    ) -> None:
        place = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{place}: {message}" if place else message, hint=hint)
        self.file = file
        self.line = line
        self.column = column


class DeliveryError(HookrunnerError):
    """A request that cannot be understood: the sender's fault."""

    http_status = 400


class SignatureError(DeliveryError):
    """A request that does not prove who sent it."""

    http_status = 401


class MediaTypeError(DeliveryError):
    """A request body of a kind that the sender's forge never sends."""

    http_status = 415


class TooLargeError(DeliveryError):
    """A request body over the configured limit."""

    http_status = 413


class LateError(DeliveryError):
    """A request body that did not arrive in time.

    503 and not 408: forges that send again do so after a 5xx.
    """

    http_status = 503


class OutgoingError(HookrunnerError):
    """Something could not be told to others.

    Attributes:
        is_transient: It may be tried again.
        retry_after: Seconds that the other side wants to be left alone, or None.
    """

    exit_code = 69

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        is_transient: bool = True,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.is_transient = is_transient
        self.retry_after = retry_after


class ForbiddenError(HookrunnerError):
    """The caller is known, but may not do this."""

    exit_code = 77
    http_status = 403


class UnauthorizedError(HookrunnerError):
    """The caller did not say who they are, or nobody knows the token."""

    exit_code = 77
    http_status = 401


class UsageError(HookrunnerError):
    """A request or command whose words do not make sense."""

    exit_code = 2
    http_status = 400


class NotFoundError(HookrunnerError):
    """Nothing of that name or id exists, or the caller may not see it."""

    exit_code = 3
    http_status = 404


class ConflictError(HookrunnerError):
    """The thing exists, but is not in a state in which this can be done."""

    exit_code = 1
    http_status = 409


class UnavailableError(HookrunnerError):
    """Something outside does not answer now; asking again later may work."""

    exit_code = 69
    http_status = 503
    retry_after = 30.0
    """Seconds after which it may work; a guess at how long an outage lasts at least."""


class TooManyError(UnavailableError):
    """Somebody asks more often than they may.

    Args:
        retry_after: Seconds after which they may again.
        http_status: 429, or 503 where what they ask is good.
    """

    def __init__(self, message: str, *, retry_after: float, http_status: int = 429) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.http_status = http_status


class EngineUnavailableError(UnavailableError):
    """The container engine does not answer."""


class ContainerGoneError(HookrunnerError):
    """The container, or the exec in it, does not exist any more, or does not run."""

    http_status = 409


class EngineError(HookrunnerError):
    """The engine answered, but refused or said what makes no sense.

    Attributes:
        status: The engine's HTTP status, 0 where there was none.
    """

    def __init__(self, message: str, *, status: int = 0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class StoreError(HookrunnerError):
    """The state directory cannot be read or written."""

    exit_code = 74
    http_status = 503


class BuildError(HookrunnerError):
    """An image could not be built, or does not validate."""

    exit_code = 1
