"""A lent picture: to whoever holds the link, for a quarter of an hour, and noted."""

from collector.alerts.channels.lending import LENT_FOR_MS, Lender
from collector.store import audit, desk
from collector.store.audit import Sought
from collector.store.lending import lending_key, make_lending_key


def link(duty, picture):
    with duty.database.write() as connection:
        make_lending_key(connection)
        key = lending_key(connection)
    return Lender(key, "http://desk.test", lambda: duty.now_ms)(picture)


def test_whoever_holds_the_link_gets_that_picture_until_it_ends(client, duty, shift, clock):
    with duty.database.read() as connection:
        found = desk.find_snapshot(connection, episode=desk.find_incident(connection, shift[1]).episodes[0].id)
    picture = (duty.folder / found.path).read_bytes()
    address = link(duty, picture)
    answer = client.get(address)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, picture, "image/jpeg")
    assert client.get(address[:-1]).status_code == 404
    assert client.get(link(duty, b"no such picture")).status_code == 404
    with duty.database.read() as connection:
        [line] = audit.list_lines(connection, Sought(action="export"))
    assert (line.who, line.by, line.ref, line.camera) == ("lent", "nobody", found.sha256, found.camera)
    clock.advance(LENT_FOR_MS)
    assert client.get(address).status_code == 404


def test_where_nothing_was_ever_lent_no_link_is_good(client, duty, shift):
    assert client.get(f"/lent/{'0' * 64}.9999999999.{'0' * 43}").status_code == 404
