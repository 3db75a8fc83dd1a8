import pytest

from hybrid_swin.errors import InputError
from search.settings.storage_url import check_hosts, check_storage
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
        "postgresql+psycopg:///postgresql://u:hunter2@h/db",
        "postgresql+psycopg:///host=h%20user=hunter2",
        "postgresql+psycopg://user@h/db?conninfo=host%3Dh%20password%3Dhunter2",
        "postgresql+psycopg://user@h/db?conninfo=hunter2",
        "postgresql+psycopg2://user@h/db?dsn=hunter2",
        "postgresql+psycopg://user@h/db?dbname=postgresql://u:hunter2@h/db",
        "postgresql+psycopg://user@h/db?host=h&host=password%3Dhunter2",
        "postgresql+psycopg://user@h/db?scram_client_key=hunter2",
        "postgresql+psycopg://user@h/db?oauth_client_secret=hunter2",
        "postgresql+psycopg://user@h/db?hunter2=1",
        "mysql+pymysql://user@h/db?passwd=hunter2",
        "mysql+mysqlconnector://user@h/db?ssl_key_password=hunter2",
        "mysql+pymysql://user@h/db?init_command=hunter2",
        "mssql+pyodbc:///?odbc_connect=SERVER%3Dh%3BPWD%3Dhunter2",
        "sqlite+pysqlcipher:///x.db?key=hunter2",
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
        "postgresql://a,b/db?target_session_attrs=read-write&options=-c%20search_path%3Dx",
        "postgresql+psycopg://@/?service=optuna&application_name=me&sslmode=require",
        "mysql+pymysql://user@h/db?charset=utf8mb4&read_default_file=/home/u/.my.cnf",
        "sqlite:///file:x.db?uri=true&nolock=1",
        "sqlite:///a=b.db",
        "sqlite:////tmp/x.db",
    ],
)
def test_addresses_without_one_are_taken(url):
    assert StudySettings(storage=url).storage == url


def test_every_option_of_libpq_is_either_taken_or_secret():
    pq = pytest.importorskip("psycopg.pq")
    refused = set()
    for option in pq.Conninfo.get_defaults():
        name = option.keyword.decode()
        try:
            check_storage(f"postgresql+psycopg://u@h/db?{name}=x")
        except InputError:
            refused.add(name)
    secret = {"password", "sslpassword", "oauth_client_secret", "scram_client_key"}
    assert refused <= {*secret, "scram_server_key", "replication"}
    assert refused >= {"password", "sslpassword"}


def test_an_option_that_is_not_known_is_named():
    with pytest.raises(InputError, match="unknown option 'pasfile'; did you mean 'passfile'\\? it"):
        StudySettings(storage="postgresql://u@h/db?pasfile=x")


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
