"""Where the application's sockets and its health are, since the routes were put in order."""

SOCKET = "/socket"
HEALTH = "/health"
