"""The address of an Optuna storage, which stands in a study's settings and so holds no password."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from hybrid_swin.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

# Options of an address that hold no secret, by backend: all that its drivers take, and no others,
# since a driver may also take a whole connection string in one (conninfo, dsn, odbc_connect).
_POSTGRESQL = """
    application_name channel_binding client_encoding connect_timeout dbname
    fallback_application_name gssdelegation gssencmode gsslib host hostaddr
    keepalives keepalives_count keepalives_idle
    keepalives_interval krbsrvname load_balance_hosts max_protocol_version min_protocol_version
    oauth_client_id oauth_issuer oauth_scope options passfile port require_auth requirepeer service
    servicefile ssl_max_protocol_version ssl_min_protocol_version sslcert sslcertmode sslcompression
    sslcrl sslcrldir sslkey sslkeylogfile sslmode sslnegotiation sslrootcert sslsni
    target_session_attrs tcp_keepalive tcp_user_timeout timeout unix_sock user
"""
_MYSQL = """
    auth_plugin autocommit charset collation compress connect_timeout connection_timeout db host
    local_infile port read_default_file read_default_group read_timeout sql_mode ssl ssl_ca
    ssl_capath ssl_cert ssl_check_hostname ssl_cipher ssl_disabled ssl_key ssl_mode ssl_verify_cert
    ssl_verify_identity unix_socket use_unicode user write_timeout
"""
_SQLITE = """
    cache cached_statements check_same_thread detect_types immutable isolation_level mode nolock
    psow timeout uri vfs
"""
_OPTIONS = {
    "postgresql": _POSTGRESQL.split(),
    "mysql": _MYSQL.split(),
    "mariadb": _MYSQL.split(),
    "sqlite": _SQLITE.split(),
}
_FILES = {
    "postgresql": " (a section of pg_service.conf by ?service=NAME)",
    "mysql": " (?read_default_file=/home/me/.my.cnf)",
    "mariadb": " (?read_default_file=/home/me/.my.cnf)",
}
_NAME = re.compile("[a-z_]{1,40}")  # of an option, which a message may repeat
_SECRET = "pass(?!file)|pwd|secret|token|credential|scram"  # noqa: S105 in an option's name
_GIVEN = re.compile(rf"(?:{_SECRET})\w*\s*=|://[^/]*:[^/]*@", re.IGNORECASE)

_ONE_HOST = ("local",)  # executors whose workers are on the coordinator's host


def check_storage(url: str) -> None:
    """Check that an address is one, and holds no password; no message repeats it.

    Raises InputError if it is not a URL of SQLAlchemy, or a password stands somewhere in it.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(url)
    except (ArgumentError, ValueError, TypeError) as error:
        raise InputError(
            "storage is not an address such as postgresql://user@host/database or "
            "sqlite:///file.db (it is not repeated here: it may hold a password)"
        ) from error
    backend = address.drivername.partition("+")[0]
    instead = "set PGPASSWORD instead, or name a passfile"
    if backend != "postgresql":
        instead = f"put it into a file that the driver reads{_FILES.get(backend, '')}"
    names = [name.casefold() for name in address.query]
    named = any(re.search(_SECRET, name) for name in names)
    has_password = address.password is not None or ":" in (address.username or "")
    if has_password or named or any(_GIVEN.search(text) for text in _texts(address)):
        raise InputError(
            "storage holds a password, which would be written into the study's settings; leave it "
            f"out and {instead}"
        )
    # drivers of PostgreSQL take a whole connection string in the place of a database's name
    if backend != "sqlite" and re.search("=|://", address.database or ""):
        raise InputError(
            "storage holds a connection string in the place of a database's name (it is not "
            f"repeated here: it may hold a password); write {backend}://user@host/database"
        )
    allowed = _OPTIONS.get(backend) or [*chain.from_iterable(_OPTIONS.values())]
    for name in names:
        if name not in allowed:
            what = f"option {name!r}" if _NAME.fullmatch(name) else "option"
            meant = did_you_mean(name, allowed) or ";"
            raise InputError(
                f"storage has an unknown {what}{meant} it may hold a password, which would be "
                "written into the study's settings: leave it out, or put it into a file that the "
                f"driver reads{_FILES.get(backend, '')}"
            )


def _texts(address: "URL") -> Iterator[str]:
    """All in which a whole connection string may hide."""
    yield from (address.username or "", address.host or "")
    if not address.drivername.startswith("sqlite"):  # of which it is a path
        yield address.database or ""
    for value in address.query.values():
        yield from [value] if isinstance(value, str) else value


def check_hosts(url: str | None, where: str) -> None:
    """Raise InputError if a study of several hosts keeps its trials in a file of SQLite.

    SQLite trusts the locks of the file system, which network file systems often do not keep, and a
    start on another host would damage the file.

    Args:
        url: the storage; None for the journal.
        where: the name of the executor, or words for what else brings in other hosts.
    """
    if url is not None and url.startswith("sqlite") and where not in _ONE_HOST:
        raise InputError(
            f"storage {url!r} is a file of SQLite, which is for one host, and {where} brings in "
            "others; leave storage out (a journal in the study's folder), or use PostgreSQL: "
            "postgresql+psycopg://user@host/database"
        )
