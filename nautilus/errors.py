"""Every error of Nautilus, in one tree; each knows the HTTP status and title of its problem document (RFC 9457).

NautilusError                 500
├── NotFound                  404  an instrument, account, strategy, order ... that does not exist
├── Invalid                   422  a value that cannot be; names the field
│   └── ConfigError           --   a configuration that cannot be; names file, key and what is allowed
├── Conflict                  409  the state does not allow it now
│   └── NotReady              409  nothing to say yet: no model trained, not enough data
├── Forbidden                 403  the key or the host may not do this
├── TooManyRequests           429  slower, please
└── Unavailable               503  a part that this needs is not running or has failed
    └── StoreError            503  the disk or the database refused
"""

from typing import ClassVar


class NautilusError(Exception):
    """Base of all errors raised on purpose."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    @property
    def field(self) -> str | None:
        """Dotted path of the field at fault, where there is one."""
        return None


class NotFound(NautilusError):
    """Something named does not exist.

    >>> str(NotFound("instrument", "XYZ"))
    "no instrument 'XYZ'"
    """

    status = 404
    title = "Not found"

    def __init__(self, kind: str, name: object) -> None:
        super().__init__(f"no {kind} {name!r}")
        self.kind = kind
        self.name = name


class Invalid(NautilusError):
    """A value that cannot be accepted; `field` is its dotted path.

    >>> str(Invalid("order.quantity", "must be positive"))
    'order.quantity: must be positive'
    """

    status = 422
    title = "Invalid value"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self._field = field
        self.reason = reason

    @property
    def field(self) -> str | None:
        """Dotted path of the field at fault."""
        return self._field


class ConfigError(Invalid):
    """A configuration that cannot be used: says which file or variable, which key, and what is allowed."""

    title = "Invalid configuration"

    def __init__(self, origin: str, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.args = (f"{origin}: {key}: {reason}",)
        self.origin = origin


class Conflict(NautilusError):
    """The state of the system does not allow this now."""

    status = 409
    title = "Conflict"


class NotReady(Conflict):
    """There is nothing true to answer yet."""

    title = "Not ready"


class Forbidden(NautilusError):
    """The caller may not do this."""

    status = 403
    title = "Forbidden"


class TooManyRequests(NautilusError):
    """The caller asks too often."""

    status = 429
    title = "Too many requests"


class Unavailable(NautilusError):
    """A part that this needs is not running or has failed."""

    status = 503
    title = "Unavailable"


class StoreError(Unavailable):
    """The disk or the database refused."""

    title = "Storage failure"
