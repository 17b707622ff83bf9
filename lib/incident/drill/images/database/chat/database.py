"""The database of users and their rooms."""

import os
import socket


class DatabaseSessionManager:
    """Sessions of the database that agents read."""

    def __init__(self, url="memory://"):
        self.url = url


def ping():
    """Ask the database whether it is there; raises what the system says where it is not."""
    address = (os.environ["DATABASE_HOST"], int(os.environ["DATABASE_PORT"]))
    with socket.create_connection(address, timeout=1.0) as connection:
        connection.sendall(b"PING\r\n")
        if not connection.recv(64):
            raise ConnectionError("the database ended the connection")
