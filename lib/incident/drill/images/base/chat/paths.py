"""Where the application's sockets and its health are."""

SOCKET = "/ws"
HEALTH = "/health"
