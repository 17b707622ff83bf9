"""Which agent class answers which message type."""


class EchoAgent:
    def answer(self, message):
        return message


AGENT_CLASSES = {"echo": EchoAgent}
