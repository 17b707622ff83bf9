"""Sessions of the database that agents read."""


class DatabaseSessionManager:
    def __init__(self, url="memory://"):
        self.url = url
