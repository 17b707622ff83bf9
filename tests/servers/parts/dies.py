"""An application that cannot be imported, and takes a second to find out, as one with large libraries does."""

import time

time.sleep(1)

import chat.agents.registry  # noqa: E402, F401
