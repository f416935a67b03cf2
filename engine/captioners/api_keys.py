"""Which environment variable holds the API key of a model's server, if any may be sent there.

A project may come from somebody else, with any address in it. A key therefore goes only to servers
that this user has named: by a variable with the model's name, or in the table `api_keys` of the
user's own `config.toml`. This module decides that, and reads no key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.captioners.address import is_loopback, origin_of
from engine.utils.user_config import config_file

PREFIX = "MLLMAUG_API_KEY_"
"""How the variable of a model begins; its name follows in upper case."""
OPENAI_VARIABLE = "OPENAI_API_KEY"
"""The variable that other programs read, too."""
OPENAI_ORIGIN = "https://api.openai.com"
"""The only server that gets the key in `OPENAI_VARIABLE` unless the user's table says otherwise."""
UNNAMED_VARIABLES = ("MLLMAUG_API_KEY", OPENAI_VARIABLE)
"""Variables that name no server, and which people set all the same."""
UNSET = " in the environment of the run, where it is not set"
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the key of one model's server is looked for."""

    variables: tuple[str, ...] = ()
    """Names of environment variables; the first one that is set counts."""
    advice: str = ""
    """Why no key was sent, if none was, and what to do about it."""


NO_KEY = KeySource()
"""The source of a model that needs no key."""


def key_source(model: str, address: str) -> KeySource:
    """Return where the key of a model's server is looked for, by the user's table as it is now."""
    try:
        listed = listed_variables()
    except ValueError as error:
        return KeySource(advice=f"no key was sent: {config_file()} cannot be read: {error}")
    return choose_source(model, address, listed)


def choose_source(model: str, address: str, listed: Mapping[str, str]) -> KeySource:
    """Return the source of a model's key; `listed` is the user's table: origin -> variable."""
    origin, own = origin_of(address), model_variable(model)
    if origin is None:
        return KeySource(
            advice="no key was sent: the host of the address is not written in a usual way"
        )
    entry = f'"{origin}" = "{own}" in [api_keys] of {config_file()}'
    if origin in listed:
        variable = listed[origin]
        return KeySource((variable,), f"the key is taken from {variable}{UNSET}")
    variables, advice = [], ""
    if own in listed.values():
        advice = f"no key was sent: {own} is listed for another server only: write {entry}"
    elif not (origin.startswith("https://") or is_loopback(origin)):
        advice = f"no key was sent, since http is not encrypted: to send it anyway, write {entry}"
    else:
        variables.append(own)
    if origin == OPENAI_ORIGIN:
        variables.append(OPENAI_VARIABLE)
    if variables:
        names = " or ".join(variables)
        advice = (
            f"the key is taken from {names}{UNSET}; another variable can be listed in [api_keys] of"
            f" {config_file()}"
        )
    return KeySource(tuple(variables), advice)


def model_variable(model: str) -> str:
    """Return the variable of a model: `qwen2.5-vl` has `MLLMAUG_API_KEY_QWEN2_5_VL`."""
    return PREFIX + re.sub(r"[^A-Z0-9]", "_", model.upper())


def listed_variables() -> dict[str, str]:
    """Return the table `api_keys` of the user's `config.toml`: origin -> variable.

    Raises `ValueError`.
    """
    try:
        with config_file().open("rb") as file:
            table = tomllib.load(file).get("api_keys", {})
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(str(error)) from error
    problem = next(table_problems(table), None)
    if problem is not None:
        raise ValueError(problem)
    return {str(origin_of(server)): variable for server, variable in table.items()}


def table_problems(table: Any) -> Iterator[str]:
    """Yield what is wrong with the value of `api_keys` in the file."""
    if not isinstance(table, dict):
        yield "api_keys must be a table"
        return
    for server, variable in table.items():
        origin = origin_of(server)
        rest = "" if origin is None else server.lower().rstrip("/").removeprefix(origin)
        if origin is None or rest not in ("", ":443", ":80"):
            yield f'api_keys: {server!r}: write a server as "https://HOST" or "http://HOST:PORT"'
        elif not isinstance(variable, str) or not VARIABLE_NAME.fullmatch(variable):
            yield f"api_keys: {server!r}: write the name of an environment variable, not a key"
