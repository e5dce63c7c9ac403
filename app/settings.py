"""What one launch of the server was told: address, folder, and who may change what."""

import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
MIN_TOKEN = 16


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one launch. The policy follows from the bind address alone, never from a header.

    Raises
    ------
    ValueError
        If the token is shorter than 16 characters: it guards every change, so it must not be guessable.
    """

    logdir: Path = Path("runs")
    host: str = "127.0.0.1"
    port: int = 8050
    read_only: bool = False
    # Away from loopback the default is to show only; this is how the user asks for more.
    allow_changes: bool = False
    allowed_hosts: tuple[str, ...] = ()
    # ``module:callable`` named on the command line, to measure runs of own training loops.
    model: str | None = None
    data: str | None = None
    # 32 random bytes. Not in the repr, so that no log line or traceback can show it.
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    # What a browser keeps once it has shown the token; without one it keeps the token itself.
    session: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.session:
            object.__setattr__(self, "session", self.token)
        if len(self.token) < MIN_TOKEN or not self.token.isascii() or not self.token.isprintable():
            raise ValueError(
                f"token: needs at least {MIN_TOKEN} printable ASCII characters, got {len(self.token)}. "
                "Leave it out and a random one is made for this launch."
            )

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def reading_needs_token(self) -> bool:
        return not self.loopback

    @property
    def changes_allowed(self) -> bool:
        return not self.read_only and (self.loopback or self.allow_changes)

    @property
    def hosts(self) -> frozenset[str]:
        """Names that a request's Host header may carry, lower-cased, without port and brackets."""
        own = socket.gethostname() if is_wildcard(self.host) else self.host
        names = {_plain(name) for name in (own, *self.allowed_hosts)}
        return LOOPBACK_NAMES | {name for name in names if name and not is_wildcard(name)}

    @property
    def url(self) -> str:
        name = "127.0.0.1" if is_wildcard(self.host) else self.host
        return f"http://[{name}]:{self.port}" if ":" in name else f"http://{name}:{self.port}"

    def launch_url(self, path: str = "/") -> str:
        """Return the address to open; it carries the token where the token is good for something."""
        if not (self.changes_allowed or self.reading_needs_token):
            return self.url + path
        return f"{self.url}{path}{'&' if '?' in path else '?'}token={self.token}"


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach `host` (an address, or the name localhost)."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _plain(name: str) -> str:
    return name.strip().lower().removeprefix("[").removesuffix("]")
