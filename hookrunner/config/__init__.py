"""The configuration: what can be said (`schema`), and how a file says it (`loading`).

Opens nothing: whoever calls `loads` has read the file, and whoever needs a secret reads
it by its `SecretReference` (`hookrunner.adapters.credentials`).
"""

from hookrunner.config.chat import Allow, Chat, ChatPlatform, Discord
from hookrunner.config.loading import loads
from hookrunner.config.notify import Event, Notify
from hookrunner.config.operating import Log, LogFormat, LogLevel, Monitoring, Retention, Tls
from hookrunner.config.polling import Poll
from hookrunner.config.schema import (
    CONTROL_SOCKET,
    DEFAULT_ENGINE,
    DEFAULT_STATE,
    FORGES,
    STATUS_APIS,
    Access,
    Commands,
    Config,
    Discover,
    Door,
    Limits,
    Listen,
    Match,
    Project,
    Source,
    StatusApi,
    keys,
)
from hookrunner.config.secrets import SecretReference
from hookrunner.config.values import Network, Rate, TcpAddress, UnixAddress

__all__ = [
    "CONTROL_SOCKET",
    "DEFAULT_ENGINE",
    "DEFAULT_STATE",
    "FORGES",
    "STATUS_APIS",
    "Access",
    "Allow",
    "Chat",
    "ChatPlatform",
    "Commands",
    "Config",
    "Discord",
    "Discover",
    "Door",
    "Event",
    "Limits",
    "Listen",
    "Log",
    "LogFormat",
    "LogLevel",
    "Match",
    "Monitoring",
    "Network",
    "Notify",
    "Poll",
    "Project",
    "Rate",
    "Retention",
    "SecretReference",
    "Source",
    "StatusApi",
    "TcpAddress",
    "Tls",
    "UnixAddress",
    "keys",
    "loads",
]
