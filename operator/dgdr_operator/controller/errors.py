"""What the API server can answer besides yes, by meaning, as one tree.

* ClusterError
  x NotFound         -- there is no such object
  x Conflict         -- the object changed meanwhile, or is another one of the same name
  x NameTaken        -- an object of that name exists and is not ours
  x Rejected         -- the API server or an admission rule says no; asking again will not help
  x Denied           -- a right is missing; somebody may grant it
  x Unauthenticated  -- the credentials are not, or no longer, accepted
  x Gone             -- a page or a watch refers to a version that the server has forgotten
  x Busy             -- later, please; *retry_after* seconds if the server says so
  x NotLeading       -- another replica leads; this one must not write
  x Unavailable      -- no answer, or a fault on the server's side
"""


class ClusterError(Exception):
    """Anything but success; *message* is the API server's own sentence where it sent one."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class NotFound(ClusterError):
    """There is no such object."""


class Conflict(ClusterError):
    """The object changed meanwhile, or is another one of the same name."""


class NameTaken(ClusterError):
    """An object of that name exists and is not ours."""


class Rejected(ClusterError):
    """The API server or an admission rule says no; asking again will not help."""


class Denied(ClusterError):
    """A right is missing; somebody may grant it."""


class Unauthenticated(ClusterError):
    """The credentials are not, or no longer, accepted."""


class Gone(ClusterError):
    """A page or a watch refers to a version that the server has forgotten."""


class Busy(ClusterError):
    """Later, please; *retry_after* seconds, 0 where the server does not say."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.args = (message, retry_after)
        self.retry_after = retry_after


class NotLeading(ClusterError):
    """Another replica leads; this one must not write."""


class Unavailable(ClusterError):
    """No answer, or a fault on the server's side."""


def of(status: int, body: object, retry_after: float = 0.0) -> ClusterError:
    """The error that HTTP *status* with *body* (a Status object, or whatever a proxy sent) stands for."""
    fields = body if isinstance(body, dict) else {}
    message = str(fields.get("message") or body or f"HTTP {status}")[:4096]
    if status == FORBIDDEN:
        return _forbidden(message)
    if status == TOO_MANY_REQUESTS:
        return Busy(message, retry_after)
    kind = MEANINGS.get(status)
    if kind is not None:
        return kind(message)
    return Unavailable(message) if status >= SERVER_FAULT else Rejected(message)


def _forbidden(message: str) -> ClusterError:
    """A missing right reads `User "x" cannot patch resource ...`; every other 403 comes from an admission rule."""
    return Denied(message) if " cannot " in message and " resource " in message else Rejected(message)


FORBIDDEN = 403
TOO_MANY_REQUESTS = 429
SERVER_FAULT = 500
MEANINGS: dict[int, type[ClusterError]] = {
    401: Unauthenticated,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    410: Gone,
}
