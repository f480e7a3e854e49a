"""Who may sign in: users with passwords and tokens, names a sign-in provider vouches for, sessions that were ended."""

from archive.accounts.names import NAME_LENGTH, RESERVED_NAMES, check_name
from archive.accounts.outside import OutsideNames
from archive.accounts.sessions import Sessions, WebSecrets, web_secrets
from archive.accounts.store import Accounts
from archive.accounts.users import Person, Role, Token, User

__all__ = [
    "NAME_LENGTH",
    "RESERVED_NAMES",
    "Accounts",
    "OutsideNames",
    "Person",
    "Role",
    "Sessions",
    "Token",
    "User",
    "WebSecrets",
    "check_name",
    "web_secrets",
]
