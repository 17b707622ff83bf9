"""How the application server is told to listen: on a port of its own, which is not the one that it is asked at."""


def port(environment):
    """Any free port: what worked on a developer's machine, where nobody asked at another."""
    return 0


def prepare(log):
    """Nothing to load before the port opens."""
