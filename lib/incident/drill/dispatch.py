"""What each step of a scenario does to the box, and the words that it has in the progress bar.

Reports what clients saw beside what the step says they must see. Runs of the runbook are not steps of this page: `play`
makes them. It cannot tell why clients saw what they saw.
"""

from __future__ import annotations

import asyncio

from incident.drill.box import Box
from incident.drill.client import Seen, make_requests
from incident.drill.held import hold_sockets, unexpected_endings
from incident.drill.steps import (
    Build,
    Dependency,
    Deploy,
    Endpoint,
    FinishBuild,
    Ingress,
    LogFault,
    Pause,
    Policy,
    Proxy,
    Requests,
    Run,
    Sockets,
    Step,
    Traffic,
)


async def perform(step: Step, box: Box) -> list[str]:
    """Do what a step says; where clients did not see what they must, what they saw."""
    match step:
        case Build():
            box.build(step)
        case FinishBuild():
            box.finish_build(step)
        case Deploy():
            await box.deploy(step)
        case Policy():
            box.set_policy(step)
        case Ingress():
            box.set_ingress(step)
        case Traffic():
            box.send_traffic(step)
        case Dependency():
            await box.depend(step)
        case Proxy():
            await box.put_in_front(step)
        case LogFault():
            box.refuse(step)
        case Sockets():
            return await _hold(step, box)
        case Pause():
            await asyncio.sleep(step.seconds)
        case Requests():
            return await _request(step, box)
    return []


async def _hold(step: Sockets, box: Box) -> list[str]:
    holding = asyncio.ensure_future(hold_sockets(box.endpoint, box.scenario.requests[step.kind], step))
    box.leave(holding)
    if step.meanwhile:
        return []
    held = await holding
    await box.settle()
    return unexpected_endings(step, held)


async def _request(step: Requests, box: Box) -> list[str]:
    seen = await make_requests(box.endpoint, box.scenario.requests, step)
    await box.settle()
    return unexpected_statuses(step, seen, box.service.serving.name if box.service.serving else "no revision")


def unexpected_statuses(step: Requests, seen: Seen, served_by: str) -> list[str]:
    """Where clients did not see what the incident is meant to show them.

    >>> from collections import Counter
    >>> unexpected_statuses(Requests({"a": 2}, {"a": 403}), {"a": Counter({403: 1, 0: 1})}, "r1")
    ['requests to r1: a: expected 403 for all, found 403 1 times, 0 1 times']
    """
    return [
        f"requests to {served_by}: {kind}: expected {status} for all, found "
        + ", ".join(f"{found} {times} times" for found, times in seen[kind].items())
        for kind, status in step.expect.items()
        if set(seen[kind]) != {status}
    ]


def describe(step: Step) -> str:
    """A step in a few words, for the progress bar."""
    match step:
        case Build():
            return f"building {step.image}" + ("" if step.finish else " (goes on)")
        case FinishBuild():
            return f"build of {step.image} succeeds"
        case Deploy():
            return f"deploying {step.revision}"
        case Policy():
            return f"roles/run.invoker for {', '.join(step.invokers) or 'nobody'}"
        case Ingress():
            return f"ingress {step.to}"
        case Traffic():
            return f"all traffic to {step.revision}"
        case Dependency():
            return f"{step.name} is {step.state}"
        case Proxy():
            return "no proxy in front" if step.none else "a proxy in front"
        case Endpoint():
            return f"the runbook asks at {step.path}"
        case LogFault():
            return "Google's APIs answer again" if step.none else f"{step.method} refuses"
        case Sockets():
            return f"{step.count} sockets for {step.hold} s"
        case Requests():
            return f"{sum(step.counts.values())} requests"
        case Pause():
            return f"waiting {step.seconds} s"
        case Run():
            return f"running the runbook {step.name}"
