"""Instances: killed past their memory limit, refused where their port stays shut, and no more of them than may be."""

import asyncio
from pathlib import Path

import pytest

from incident import platform
from incident.drill.service import service_v2

READ_PORT = 'import os, socket, time\nport = int(os.environ["PORT"])\n'


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells what a process holds")
def test_an_instance_past_its_memory_limit_is_killed(live):
    """What a child of the container holds counts too; the request under way fails, and the next finds a new one."""
    grow = 'os.fork() or [kept.append(b"x" * (8 << 20)) for _ in range(20)]; import time; time.sleep(9)'

    async def work(live):
        answer = await live.get("/grow")
        told = [(entry.text_payload, entry.severity) for entry in live.entries(platform.SYSTEM)][2:]
        (request,) = live.entries(platform.REQUESTS)
        assert await live.box.instances.acquire(live.box.service.serving)
        return answer, told, request, live.texts(platform.SYSTEM)[-1]

    answer, told, request, last = live(work, live.server(grow), memory="64Mi")
    assert answer.startswith(b"HTTP/1.1 503 ")
    limit = platform.MEMORY_LIMIT.search(told[0][0])
    assert limit["limit"] == "64 MiB"
    assert 64 <= int(limit["used"].removesuffix(" MiB")) < 180
    assert [severity for _, severity in told] == [500, 400]
    assert told[1][0] == "Container terminated on signal 9."
    assert (request.http_request.status, request.text_payload) == (503, platform.MALFORMED_RESPONSE.text)
    assert platform.STARTUP_PROBE_SUCCEEDED.search(last)


@pytest.mark.parametrize(
    "serve",
    ["time.sleep(9)", 'listener = socket.create_server(("127.0.0.1", 0))\ntime.sleep(9)'],
    ids=["late", "other-port"],
)
def test_a_port_that_is_not_open_in_time(live, serve):
    """The process lives and would go on: it is ended, its revision is not Ready, and the old one keeps the traffic."""

    async def work(live):
        revision = await live.deploy("00002-def", serve=READ_PORT + serve, settings={"startup_deadline": 0.15})
        message = platform.PORT_NOT_LISTENING.format(port=8080)
        assert (revision.ready, revision.ready_message) == (False, message)
        assert live.texts(platform.SYSTEM)[-1] == platform.STARTUP_PROBE_FAILED.format(
            container=live.box.service.container, reason="DEADLINE_EXCEEDED"
        )
        shown = service_v2(live.box.service)
        assert shown.terminal_condition.revision_reason.name == "HEALTH_CHECK_CONTAINER_ERROR"
        assert shown.latest_ready_revision.endswith("-00001-abc")
        assert await live.status() == 200
        return live.entries(platform.REQUESTS)[-1].resource.labels["revision_name"] == live.first

    assert live(work)


def test_no_more_instances_than_may_be(live):
    """Each full instance makes another start, up to the limit; then a request is refused, and no instance is blamed."""

    async def work(live):
        held = [asyncio.create_task(live.get(f"/{number}")) for number in range(2)]
        while len(live.texts(platform.STDOUT)) < 2:  # both are under way
            await asyncio.sleep(0.005)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(live.box.url.rpartition(":")[2]))
        writer.write(b"GET /third HTTP/1.1\r\nHost: h\r\n\r\n")
        refused = await reader.read()
        writer.close()
        for task in held:
            task.cancel()
        await live.box.frontend.close()
        third = next(entry for entry in live.entries(platform.REQUESTS) if "third" in entry.http_request.request_url)
        started = {entry.labels["instanceId"] for entry in live.entries(platform.STDOUT)}
        return refused, third, len(started)

    served = live.server('print("taken", flush=True)', "kept.append(peer)")
    refused, third, started = live(work, served, concurrency=1, max_instances=2)
    assert refused.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert refused.endswith(b"\r\n\r\nRate exceeded.")
    assert (third.http_request.status, third.severity, third.text_payload) == (429, 400, platform.NO_INSTANCE.text)
    assert "instanceId" not in third.labels
    assert started == 2


def test_an_instance_is_started_by_another_command(live):
    """A deploy that starts the wrong thing is a cause of its own, so the command must be real and be shown."""

    async def work(box):
        command = ["-c", live.server()]
        await box.deploy("00002-def", serve="raise SystemExit", settings={"command": command})
        assert list(service_v2(box.box.service).template.containers[0].command) == ["python", *command]
        assert box.box.service.serving.name.endswith("-00002-def")
        return await box.status()

    assert live(work) == 200
