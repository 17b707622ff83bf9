"""Which agent class answers which message type."""

import sys

from chat.database import DatabaseSessionManager


class EchoAgent:
    def __init__(self, sessions=None):
        self.sessions = sessions

    def answer(self, message):
        return message


class AgentClassRegistry(dict):
    def initialize(self):
        """Register every agent class with the sessions that it reads."""
        sessions = DatabaseSessionManager()
        self["echo"] = lambda: EchoAgent(sessions)


AGENT_CLASSES = AgentClassRegistry()

try:
    AGENT_CLASSES.initialize()
except Exception as error:
    print(f"Failed to initialize agent class registry: {error}", file=sys.stderr)
    raise
