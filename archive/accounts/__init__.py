"""Accounts: users with passwords and tokens, users of a sign-in provider, and ended sessions.

`Accounts` reads and changes ``users.json``; `Sessions` lists ended sessions; `ProviderUsers` reads from ``config.toml``
which names of a sign-in provider may sign in.
"""

from archive.accounts.names import NAME_LENGTH, RESERVED_NAMES, check_name
from archive.accounts.provider_users import ProviderUsers
from archive.accounts.sessions import Sessions, WebSecrets, web_secrets
from archive.accounts.store import Accounts
from archive.accounts.users import Person, Role, Token, User

__all__ = [
    "NAME_LENGTH",
    "RESERVED_NAMES",
    "Accounts",
    "Person",
    "ProviderUsers",
    "Role",
    "Sessions",
    "Token",
    "User",
    "WebSecrets",
    "check_name",
    "web_secrets",
]
