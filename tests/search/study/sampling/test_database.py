"""What is said of a database that cannot be opened."""

from search.study.sampling.database import cannot_open


def test_no_word_of_an_address_that_may_be_a_secret_is_repeated():
    url = "postgresql+psycopg://user@host:1/db?options=-c%20app.secret%3DHUNTER4&service=HUNTER5"
    for error in (ImportError("no module", name="psycopg"), OSError("nobody listens")):
        message = str(cannot_open(url, error))
        assert "HUNTER" not in message
        assert "'postgresql+psycopg://user@host:1/db' cannot be opened" in message
