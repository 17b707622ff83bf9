"""The chat backend: WebSockets at /ws, its health at /health."""
