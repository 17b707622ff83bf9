"""How the application server is told to listen: where, and what is done before."""


def port(environment):
    """The port that Cloud Run sends requests to."""
    return int(environment["PORT"])


def prepare(log):
    """Nothing to load before the port opens."""
