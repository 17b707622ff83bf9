"""How the application server is told to listen: only once everything is loaded, which takes longer than it has."""

import time

PARTS = 60
SECONDS_EACH = 0.5


def port(environment):
    """The port that Cloud Run sends requests to."""
    return int(environment["PORT"])


def prepare(log):
    """Load the language model before the port opens."""
    for part in range(1, PARTS + 1):
        log("INFO", f"Loading part {part} of {PARTS} of the model")
        time.sleep(SECONDS_EACH)
