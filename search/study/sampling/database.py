"""A database as Optuna's storage: how it is reached, and what is said if it is not.

Optuna repeats a write up to five times, whatever ended it. If a write took effect and only the
answer was lost, as when the server restarts, its second try makes a second trial. So the errors of
a connection are taken out of Optuna's hands by an event of SQLAlchemy, and `OptunaStudy` looks at
what the database holds before it writes again.
"""

import re
import socket
import time
from contextlib import suppress
from typing import Any

from optuna.storages import RDBStorage
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from hybrid_swin.errors import InputError
from hybrid_swin.system.files import shortened

# seconds; a server behind a broken network is otherwise noticed after two hours
_CONNECT, _SILENCE = 10, 30
_PAUSES = (0.5, 2.0)  # seconds between tries to make the tables
_LONGEST = 160  # characters of a driver's message
_KEPT_ALIVE = {
    "keepalives_idle": _SILENCE,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 1000 * _SILENCE,  # milliseconds
}
_FILES = ("sqlite",)
# What a driver says, in lower case, and what its user can do about it.
_ADVICE = (
    ("no password supplied", "set PGPASSWORD, or name a passfile"),
    ("password", "correct the user's name, or the password in PGPASSWORD or the passfile"),
    ("database .* does not exist", "create it first (`createdb`), or correct its name"),
    ("role .* does not exist", "correct the user's name"),
    ("pg_hba.conf", "let this host and user in at the server (pg_hba.conf)"),
    ("refused|no such file", "start the server, or correct the host and port"),
    ("resolve host|translate host|name or service", "correct the host's name"),
    ("timeout|timed out", "check the host, the port and the network"),
    ("unable to open database file", "make its folder, or correct the path"),
)
_ELSE = "check the address, the server and PGPASSWORD"


class StorageAway(Exception):
    """The database did not answer. What was being written may have taken effect or not."""


class Database:
    """The engine behind an Optuna storage, and its open connections."""

    def __init__(self, url: str) -> None:
        try:
            self.storage = _opened(url)
        except Exception as error:  # whatever a driver raises
            raise cannot_open(url, error) from error
        self._engine: Engine = self.storage.engine
        event.listen(self._engine, "handle_error", _take_over)
        self._open: set[Any] = set()  # the driver's connections
        event.listen(self._engine, "connect", lambda one, _: self._open.add(one))
        event.listen(self._engine, "close", lambda one, _: self._open.discard(one))
        self._engine.dispose()  # those that opening has left, which no event has told of

    def wait_for_writes(self, study_id: int) -> None:
        """Return once no earlier transaction of ours, cut off, can still take effect.

        Such a transaction of Optuna holds the row of its study until the server has ended it.
        """
        from optuna.storages._rdb.models import StudyModel

        row = select(StudyModel.study_id).where(StudyModel.study_id == study_id)
        with self._engine.begin() as connection:
            connection.execute(row.with_for_update())

    def close(self) -> None:
        """End all connections, once no other thread uses one."""
        self.storage.remove_session()
        self._engine.dispose()

    def cut(self) -> None:
        """Let calls that wait for the server fail at once; another thread may call it."""
        for connection in list(self._open):
            with suppress(Exception), socket.socket(fileno=connection.fileno()) as opened:
                try:
                    opened.shutdown(socket.SHUT_RDWR)
                finally:
                    opened.detach()  # the driver closes it


def _opened(url: str) -> RDBStorage:
    """Optuna makes its tables in an empty database, where two that begin at once get in the way."""
    for pause in (*_PAUSES, None):
        storage = RDBStorage.__new__(RDBStorage)  # to hold its connections if it cannot be made
        try:
            storage.__init__(url, engine_kwargs=engine_options(url))  # type: ignore[misc]
        except (IntegrityError, ProgrammingError):
            storage.engine.dispose()
            if pause is None:
                raise
            time.sleep(pause)
        else:
            break
    return storage


def engine_options(url: str) -> dict[str, Any]:
    """How SQLAlchemy connects, beside the address.

    A connection is tried before it is used, so that one that the server or a pooler has closed is
    replaced unnoticed. Statements are not prepared: a pooler such as pgbouncer gives each
    transaction another connection of the server, which does not know them.
    """
    address = make_url(url)
    if address.get_backend_name() in _FILES:
        return {}
    options: dict[str, Any] = {"pool_pre_ping": True, "hide_parameters": True}
    if address.get_backend_name() == "postgresql":
        given: dict[str, Any] = {}
        if address.get_driver_name() in ("psycopg", "psycopg2"):
            given = {"connect_timeout": _CONNECT, **_KEPT_ALIVE}
        if address.get_driver_name() == "psycopg":
            given["prepare_threshold"] = None
        own = address.query
        options["connect_args"] = {name: value for name, value in given.items() if name not in own}
    return options


def check_database(url: str) -> None:
    """Connect once. Raises InputError, which says what to do, if the database cannot be reached."""
    try:
        engine = create_engine(url.format(SCHEMA_VERSION=""), **engine_options(url))
        try:
            engine.connect().close()
        finally:
            engine.dispose()
    except Exception as error:  # whatever a driver raises
        raise cannot_open(url, error) from error


def cannot_open(url: str, error: Exception) -> InputError:
    """One line on why a database cannot be opened, and what to do about it."""
    missing = error if isinstance(error, ImportError) else error.__cause__
    address = make_url(url).set(query={})  # whose values may be secrets
    name, place = address.drivername, address.render_as_string(hide_password=True)
    if isinstance(missing, ImportError):
        driver = f"its driver {missing.name!r} is not installed" if missing.name else str(missing)
        advice = (
            "pip install 'hybrid-swin[postgres]', and write postgresql+psycopg://..."
            if name.startswith("postgresql")
            else "install it, or leave storage out"
        )
        return InputError(f"the Optuna storage {place!r} cannot be opened: {driver}; {advice}")
    reason = reason_of(error)
    words = reason.casefold()
    advice = next((advice for sign, advice in _ADVICE if re.search(sign, words)), _ELSE)
    return InputError(f"the Optuna storage {place!r} cannot be opened ({reason}); {advice}")


def reason_of(error: BaseException) -> str:
    """The first line of what a driver said, whose error SQLAlchemy wraps, and Optuna that."""
    cause: BaseException | None = error
    while cause is not None and getattr(cause, "orig", None) is None:
        cause = cause.__cause__
    origin = getattr(cause, "orig", None)
    first = str(origin or error).strip().partition("\n")[0]
    known = first if origin else f"{type(error).__name__}: {first}"
    return shortened(known or type(origin).__name__)[:_LONGEST]


def is_away(error: BaseException) -> bool:
    """Whether an error of SQLAlchemy means that the server was not reached, or could not act."""
    return isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, SQLAlchemyError) and bool(getattr(error, "connection_invalidated", False))
    )


def _take_over(context: ExceptionContext) -> None:
    error = context.sqlalchemy_exception
    if context.is_pre_ping or error is None or not (context.is_disconnect or is_away(error)):
        return
    raise StorageAway(reason_of(error))
