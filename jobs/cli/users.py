"""``stix-jobs user``: manage users. Passwords are typed in twice, and are never command-line arguments."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from getpass import getpass

import numpy as np

from archive import Archive
from archive.accounts import Accounts, Role
from archive.accounts.users import user_document
from archive.errors import InvalidAccount
from jobs.cli.commands import DONE, WRONG_USAGE, now
from jobs.shared.logs import say, tell

ACTIONS = {
    "add": "a new user; asks for a password",
    "remove": "forget a user; what they made stays",
    "list": "users, their roles and tokens",
    "passwd": "another password; ends all sessions of the user",
    "token": "a new API token, shown once; with --revoke take one back",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    told = "; ".join(f"{action}: {text}" for action, text in ACTIONS.items())
    parser.add_argument("action", choices=ACTIONS, metavar="|".join(ACTIONS), help=told)
    parser.add_argument("user", nargs="?", default="", metavar="NAME", help="a-z, 0-9 and . _ @ + -")
    parser.add_argument("--operator", action="store_true", help="add: may also cancel and see what is others'")
    parser.add_argument("--label", default="", metavar="TEXT", help="token: what it is for")
    parser.add_argument("--revoke", metavar="ID", help="token: make this one worthless, by its eight digits")
    parser.add_argument("--json", action="store_true", help="list: as one JSON array, without secrets")


def run_user(arguments: argparse.Namespace) -> int:
    """Run an action."""
    if not arguments.user and arguments.action != "list":
        tell(f"stix-jobs user {arguments.action}: name the user")
        return WRONG_USAGE
    accounts = Accounts(Archive(arguments.archive, create=True).root)
    name: str = arguments.user
    match arguments.action:
        case "add":
            role = Role.OPERATOR if arguments.operator else Role.USER
            accounts.add(name, _ask_password(name), now(), role)
            say(f"{name} can sign in as {role}")
        case "remove":
            accounts.remove(name)
            say(f"removed {name}: their sessions and tokens are no longer valid")
        case "passwd":
            accounts.user(name)
            accounts.change_password(name, _ask_password(name))
            say(f"the password of {name} is changed: sessions have ended, tokens go on working")
        case "token" if arguments.revoke:
            accounts.revoke_token(name, arguments.revoke)
            say(f"token {arguments.revoke} of {name} is revoked")
        case "token":
            say(accounts.make_token(name, arguments.label, now()))
            tell("this is the token; it is not shown again", logging.INFO)
        case _:
            _list(accounts, name, as_json=arguments.json)
    return DONE


def _ask_password(name: str) -> str:
    """Ask for a password twice on the terminal, or read it from standard input if there is no terminal."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass(f"Password of {name}: ")
    if getpass("Again: ") != password:
        message = "the two passwords differ; nothing was changed"
        raise InvalidAccount(message)
    return password


def _list(accounts: Accounts, name: str, *, as_json: bool) -> None:
    users = [accounts.user(name)] if name else accounts.users()
    if as_json:
        documents = [user_document(user) for user in users]
        for document in documents:
            del document["password"], document["generation"]
            for token in document["tokens"]:
                del token["sha256"]
        say(json.dumps(documents))
        return
    for user in users:
        way = "password" if user.password is not None else "provider"
        say(f"{user.name:20s} {user.role:8s} {way:8s} since {_minute(user.added_at)}")
        for token in user.tokens:
            say(f"  token {token.token_id} since {_minute(token.created_at)} {token.label}".rstrip())
    if not users:
        say("no users yet: stix-jobs user add NAME makes one")


def _minute(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")
