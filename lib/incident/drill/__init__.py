"""Staging in a box: an incident, live, on loopback.

Real processes fail here, a front end of ours forwards to them and writes what Cloud Run would write, and Google's own
clients read it over gRPC. What happens is a data file under `scenarios/`. It shows that the runbook finds what was
planted; it cannot show that Cloud Run still words its messages this way (`incident.platform` has their sources).
"""
