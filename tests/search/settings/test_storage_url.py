import pytest

from hybrid_swin.errors import InputError
from search.settings.storage_url import check_hosts
from search.settings.study import StudySettings


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@host/db",
        "postgresql://user@host/db?password=hunter2",
        "postgresql://user@host/db?pass%77ord=hunter2",
        "postgresql://user@host/db?sslpassword=hunter2",
        "postgresql://user%3Ahunter2@host/db",
        "postgresql+psycopg:///host=h password=hunter2",
        "host=127.0.0.1 password=hunter2",
        "hunter2",
    ],
)
def test_a_password_is_refused_and_never_repeated(url):
    with pytest.raises(InputError, match="storage") as error:
        StudySettings(storage=url)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user@host:5432/db",
        "postgresql+psycopg://user@/db?host=/tmp/socket&passfile=/home/u/.pgpass",
        "sqlite:///a=b.db",
        "sqlite:////tmp/x.db",
    ],
)
def test_addresses_without_one_are_taken(url):
    assert StudySettings(storage=url).storage == url


@pytest.mark.parametrize("url", ["sqlite:///mine.db", "sqlite+pysqlite:///mine.db"])
def test_sqlite_is_for_one_host(url, monkeypatch):
    assert StudySettings(storage=url).executor["name"] == "local"
    with pytest.raises(InputError, match="SQLite, which is for one host, and ray brings in others"):
        check_hosts(url, "ray")
    for shared in (None, "postgresql+psycopg://user@host/db"):
        check_hosts(shared, "ray")
    monkeypatch.setattr("search.settings.experiment.executor_options", lambda executor: None)
    with pytest.raises(InputError, match=r"slurm brings in others; leave storage out"):
        StudySettings(storage=url, executor={"name": "slurm"})
