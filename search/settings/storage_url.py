"""The address of an Optuna storage, which stands in a study's settings and so holds no password."""

from hybrid_swin.errors import InputError

# Query keys of database drivers that name no secret, though they sound like it.
_HARMLESS = ("passfile",)
_SECRET = ("pass", "pwd", "secret", "token", "credential")

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
    keys = [key.casefold() for key in address.query]
    secret = any(word in key for key in keys if key not in _HARMLESS for word in _SECRET)
    # drivers of PostgreSQL take a whole connection string in the place of a database's name
    inside = not address.drivername.startswith("sqlite") and "=" in (address.database or "")
    if address.password is not None or secret or inside or ":" in (address.username or ""):
        raise InputError(
            "storage holds a password, which would be written into the study's settings; leave it "
            "out and set PGPASSWORD instead, or name a passfile"
        )


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
