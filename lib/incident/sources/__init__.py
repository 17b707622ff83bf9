"""Sources: the only code that reads from outside. Nothing is imported here, so that a probe stays light."""
