# SPDX-License-Identifier: ISC
"""What a source serves, read byte for byte by a client that is not ours.

poplib cuts lines and loses their ends, so POP3 is read from the socket.
"""
import imaplib
import poplib
import ssl

import servers


def context(certs):
    return ssl.create_default_context(cafile=certs.ca)


def pop3(world, user):
    client = poplib.POP3_SSL("localhost", world.dovecot.ports["pop3s"],
                             context=context(world.certs), timeout=60)
    client.user(user)
    client.pass_(servers.PASSWORD)
    return client


def imap(world, user, readonly=True):
    client = imaplib.IMAP4_SSL("localhost", world.dovecot.ports["imaps"],
                               ssl_context=context(world.certs), timeout=60)
    client.login(user, servers.PASSWORD)
    client.select(readonly=readonly)
    return client


def pop3_messages(world, user):
    client = pop3(world, user)
    out = []
    for number in range(1, client.stat()[0] + 1):
        client.sock.sendall(b"RETR %d\r\n" % number)
        assert client.file.readline().startswith(b"+OK")
        lines = []
        while True:
            line = client.file.readline()
            if line == b".\r\n":
                break
            assert line, "the server closed the connection"
            lines.append(line[1:] if line.startswith(b".") else line)
        out.append(b"".join(lines))
    client.quit()
    return out


def imap_messages(world, user):
    client = imap(world, user)
    uids = client.uid("search", "ALL")[1][0].split()
    out = []
    for uid in uids:
        data = client.uid("fetch", uid.decode(), "(BODY.PEEK[])")[1]
        out.append(data[0][1])
    client.logout()
    return out


def imap_flags(world, user):
    """All flags of all messages, as a client sees them."""
    client = imap(world, user)
    data = client.uid("fetch", "1:*", "(FLAGS)")[1]
    client.logout()
    return sorted(d for d in data if d)


def served(world, protocol, user):
    read = {"pop3": pop3_messages, "imap": imap_messages}[protocol]
    return read(world, user)
