"""The box: real processes behind a real front end, and the entries that they leave."""

import asyncio
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from incident import platform
from incident.analysis.places import places
from incident.analysis.sides import sides
from incident.drill.box import Box
from incident.drill.entries import nanoseconds
from incident.drill.gcloud_files import documents
from incident.drill.instances import free_port
from incident.drill.scenario import load_scenario
from incident.drill.service import service_v2
from incident.drill.steps import Build, Deploy, FinishBuild
from incident.sources.gather import gather

TOKEN = "/ws?token=u7f3a9c21e5&room=7"
E2E = {"E2E_TEST_ENV": "staging", "E2E_OAUTH_SIMULATION_KEY": "k", "STAGING_E2E_TEST": "1"}


def play(work, image="baseline", *, serve=None, environment=None, **settings):
    """Run `work(box)` with one revision of an image deployed; `serve` replaces the image's server."""

    async def main():
        scenario = load_scenario("staging")
        async with Box(replace(scenario, settings=replace(scenario.settings, **settings))) as box:
            build = box.build(Build(image, "c0ffee"))
            if serve:
                (build.folder / "serve.py").write_text(textwrap.dedent(serve))
            await box.deploy(Deploy(f"{scenario.service}-00001-abc", image, "ada@example.com", environment or {}))
            return await work(box)

    return asyncio.run(main())


async def send(box, data):
    """Send bytes to the front end and read until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(box.url).port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    await box.frontend.idle()
    return answer


def settles(marked, mark, number):
    """True as soon as that many processes carry the mark, False where that does not come."""
    deadline = time.monotonic() + 5
    while len(marked(mark)) != number and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(marked(mark)) == number


async def get(box, path="/health", *headers):
    return await send(box, "\r\n".join([f"GET {path} HTTP/1.1", "Host: chat.test", *headers, "", ""]).encode())


def socket(box, path=TOKEN, **options):
    return connect(box.url.replace("http", "ws") + path, proxy=None, **options)


def entries(box, *logs):
    return [entry for entry in box.store if any(entry.log_name.endswith(log.replace("/", "%2F")) for log in logs)]


def texts(box, *logs):
    return [entry.text_payload for entry in entries(box, *logs)]


def test_a_page_is_forwarded_and_logged():
    """The request's entry carries what the probe and the rules join on: trace, url with its query, user agent."""

    async def work(box):
        answer = await get(box, "/health?a=1", f"traceparent: 00-{'a' * 32}-{'b' * 16}-01", "User-Agent: me/1")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert f"{platform.TRACE_HEADER}: {'a' * 32};o=1".encode() in head
        assert head.lower().count(b"server:") == 1
        assert b"server: Google Frontend" in head
        assert b'"healthy"' in body
        (entry,) = entries(box, platform.REQUESTS)
        request = entry.http_request
        assert (request.status, request.request_url, request.user_agent) == (200, "http://chat.test/health?a=1", "me/1")
        assert (entry.severity, entry.trace, entry.trace_sampled) == (
            200,
            f"projects/drill-project/traces/{'a' * 32}",
            True,
        )
        assert entry.resource.labels["revision_name"].endswith("-00001-abc")
        assert entry.labels["commit-sha"] == "c0ffee"
        assert len(entry.labels["instanceId"]) > 100
        assert request.response_size == len(answer)
        return nanoseconds(entry.timestamp) + request.latency.nanos

    assert play(work)


def test_google_trace_header_is_taken_too():
    """Cloud Run's own header is the older of the two, and clients send either."""

    async def work(box):
        await get(box, "/health", f"X-Cloud-Trace-Context: {'C' * 32}/123;o=0")
        assert entries(box, platform.REQUESTS)[0].trace == f"projects/drill-project/traces/{'c' * 32}"

    play(work)


def test_a_socket_is_one_request_that_is_written_when_it_ends():
    """An open socket has no entry yet; its entry is 101, DEFAULT, dated at the handshake, as long as its life."""

    async def work(box):
        async with socket(box) as opened:
            await opened.send("hello")
            assert await opened.recv() == "hello"
            await opened.send("x" * 100_000)
            assert len(await opened.recv()) == 100_000
            await (await opened.ping())
            await asyncio.sleep(0.2)
            assert not entries(box, platform.REQUESTS)
        await box.frontend.idle()
        (entry,) = entries(box, platform.REQUESTS)
        assert (entry.http_request.status, entry.severity, entry.http_request.request_method) == (101, 0, "GET")
        assert entry.http_request.request_url.endswith(TOKEN)
        life = entry.http_request.latency.seconds + entry.http_request.latency.nanos / 1e9
        assert 0.2 <= life < 5
        assert nanoseconds(entry.receive_timestamp) >= nanoseconds(entry.timestamp) + 200_000_000

    play(work)


async def handshake(box, **headers):
    try:
        async with socket(
            box, "/ws", additional_headers={name.replace("_", "-"): value for name, value in headers.items()}
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_baseline_refuses_what_it_does_not_know():
    """The first half of the incident: all three variables set, and still the code does not look at the header."""

    async def work(box):
        assert await handshake(box, X_Test_Type="e2e") == 403
        await box.frontend.idle()
        (entry,) = entries(box, platform.REQUESTS)
        assert (entry.http_request.status, entry.severity, entry.text_payload) == (403, 400, "")
        assert platform.WEBSOCKET_REFUSED.search(texts(box, platform.STDERR)[-1])["status"] == "403"
        assert any("E2E_OAUTH_SIMULATION_KEY=k" in text for text in texts(box, platform.STDOUT))

    play(work, environment=E2E)


def test_header_detection_accepts_tests_and_no_one_else():
    """The fix must not open the door to a handshake without header or token."""

    async def work(box):
        seen = [await handshake(box, x_test_type="e2e"), await handshake(box, X_E2E_Test="true"), await handshake(box)]
        assert seen == [101, 101, 403]
        assert await handshake(box, X_E2E_Test="false") == 403

    play(work, "header-detection", environment=E2E)


def test_header_detection_needs_all_three_variables():
    """A service where two of three are set is not meant to let tests in."""

    async def work(box):
        assert await handshake(box, X_Test_Type="e2e") == 403

    play(work, "header-detection", environment={**E2E, "STAGING_E2E_TEST": ""})


def test_a_ready_revision_that_fails_every_request():
    """The second half: the port is bound, so the revision is Ready; then a real NameError, exit 3, and 503."""

    async def work(box):
        assert box.service.serving.ready
        answers = [await get(box) for _ in range(3)]
        assert all(answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n") for answer in answers)
        assert answers[0].endswith(b"\r\n\r\nService Unavailable")
        requests = entries(box, platform.REQUESTS)
        assert [(entry.http_request.status, entry.severity) for entry in requests] == [(503, 500)] * 3
        assert platform.MALFORMED_RESPONSE.search(requests[0].text_payload)
        instances = {entry.labels["instanceId"] for entry in requests}
        tracebacks = [entry for entry in entries(box, platform.STDERR) if entry.severity == 500]
        assert {entry.labels["instanceId"] for entry in tracebacks} >= instances
        assert tracebacks[0].text_payload.endswith("\nNameError: name 'DatabaseSessionManager' is not defined")
        assert 'File "/app/chat/agents/registry.py", line 17, in initialize' in tracebacks[0].text_payload
        line = "Failed to initialize agent class registry: name 'DatabaseSessionManager' is not defined"
        assert texts(box, platform.STDERR).count(line) == len(tracebacks)
        exits = [entry for entry in entries(box, platform.SYSTEM) if platform.CONTAINER_EXIT.search(entry.text_payload)]
        assert {(entry.text_payload, entry.severity) for entry in exits} == {("Container called exit(3).", 400)}
        return len(instances)

    assert play(work, "header-detection-broken", environment=E2E) >= 2


def test_requests_at_the_same_time_share_a_start():
    """A crash-looping service under load must not start a process for every request that waits."""

    async def work(box):
        await get(box)
        before = sum("AUTOSCALING" in text for text in texts(box, platform.SYSTEM))
        answers = await asyncio.gather(*(get(box) for _ in range(8)))
        assert all(b" 503 " in answer for answer in answers)
        return sum("AUTOSCALING" in text for text in texts(box, platform.SYSTEM)) - before

    assert 1 <= play(work, "header-detection-broken") <= 3


def test_a_dead_instance_is_replaced():
    """A process that was killed is the platform's to replace, and its end is in the log."""

    async def work(box):
        instance = await box.instances.acquire(box.service.serving)
        instance.process.send_signal(signal.SIGKILL)
        await instance.ended.wait()
        assert b" 200 " in await get(box)
        return texts(box, platform.SYSTEM)

    told = play(work)
    assert "Container terminated on signal 9." in told
    assert platform.START_AUTOSCALING.text in told


def test_paths_and_methods_that_never_reach_the_container():
    """Reserved paths are answered by the front end and leave no entry; the path is hostile text in its page."""

    async def work(box):
        assert b" 404 " in (await get(box, "/healthz")).splitlines()[0]
        assert b"/_ah/&lt;b&gt;{x}" in await get(box, "/_ah/<b>{x}")
        assert b" 405 " in (await send(box, b"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n")).splitlines()[0]
        assert b" 404 " in (await get(box, "/nosuch")).splitlines()[0]
        return [entry.http_request.request_url for entry in entries(box, platform.REQUESTS)]

    assert play(work) == ["http://chat.test/nosuch"]


def test_no_revision_no_answer_from_one():
    """Before the first deploy there is nobody to forward to."""

    async def main():
        async with Box(load_scenario("staging")) as box:
            answer = await get(box, "/ws")
            assert not list(box.store)
            return answer

    assert asyncio.run(main()).startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_what_is_no_request_is_answered_400():
    """TLS on the plaintext port must not hang or be forwarded."""

    async def work(box):
        return await send(box, b"\x16\x03\x01\r\n\r\n")

    assert play(work).startswith(b"HTTP/1.1 400 ")


def test_a_port_that_never_opens():
    """The process ends before it listens: the revision is not Ready, takes no traffic, and says why."""

    async def work(box):
        assert (box.service.serving, box.service.revisions[0].ready) == (None, False)
        assert "not listening" in texts(box, platform.STDERR)
        severities = {entry.severity for entry in entries(box, platform.SYSTEM_EVENT)}
        assert severities == {500}
        box.service.serving = box.service.revisions[0]
        assert b" 500 " in (await get(box)).splitlines()[0]
        assert texts(box, platform.REQUESTS) == [platform.INSTANCE_COULD_NOT_START.text]
        return texts(box, platform.SYSTEM)

    told = play(work, serve="import sys\nprint('not listening', file=sys.stderr)\nsys.exit(1)")
    assert "Container called exit(1)." in told
    assert any(platform.STARTUP_PROBE_FAILED.search(text) for text in told)


SILENT = """
import os, socket
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
taken = [listener.accept() for _ in range(9)]
"""


def test_a_request_that_takes_too_long():
    """The front end answers 504 at the revision's timeout, and the instance goes on."""

    async def work(box):
        answer = await get(box)
        assert texts(box, platform.REQUESTS) == [platform.REQUEST_TIMEOUT.text]
        return answer

    assert play(work, serve=SILENT, timeout=0.3).startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")


def test_a_socket_is_cut_at_the_request_timeout():
    """A socket is one long request: it ends without a close frame, and its entry is as long as the timeout."""

    async def work(box):
        async with socket(box) as opened:
            await opened.wait_closed()
        await box.frontend.idle()
        (entry,) = entries(box, platform.REQUESTS)
        lasted = entry.http_request.latency
        return opened.close_code, entry.http_request.status, lasted.seconds + lasted.nanos / 1e9

    code, status, life = play(work, timeout=3)
    assert (code, status) == (1006, 101)
    assert 3 <= life < 4


def test_a_client_that_leaves_is_told_to_the_application():
    """A socket whose client vanishes ends, so that its entry is written and its slot is free."""

    async def work(box):
        opened = await socket(box)
        opened.transport.abort()
        await asyncio.wait_for(box.frontend.idle(), 5)
        return entries(box, platform.REQUESTS)[0].http_request.status

    assert play(work) == 101


def test_bytes_are_left_as_they_are():
    """A tunnel that mended a broken frame would hide the fault that is looked for."""
    echo = """
    import os, socket
    listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    while True:
        peer, _ = listener.accept()
        data = b""
        while b"\\r\\n\\r\\n" not in data and (more := peer.recv(4096)):
            data += more
        if data:
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: x\\r\\n\\r\\n\\xff\\x00" + data)
        peer.close()
    """

    async def work(box):
        return await send(box, b"GET /ws HTTP/1.1\r\nHost: h\r\nUPGRADE: x\r\nX-b:  two\r\nX-B: 1\r\n\r\n\x81\xff")

    head, _, body = play(work, serve=echo).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n")
    assert body.startswith(b"\xff\x00GET /ws HTTP/1.1\r\nHost: h\r\nUPGRADE: x\r\nX-b: two\r\nX-B: 1\r\n")


def test_a_deploy_leaves_its_entries_in_order():
    """Activity, new instance, probe, the revision's event, the service's event, and the old instance's end."""

    async def work(box):
        box.build(Build("header-detection", "beef", finish=False))
        assert box.service.builds[-1].finish_time is None
        box.finish_build(FinishBuild("header-detection"))
        before = len(list(box.store))
        await box.deploy(Deploy("chat-backend-staging-00002-def", "header-detection", "grace@example.com", {"A": "2"}))
        told = [entry for entry in list(box.store)[before:] if not entry.log_name.endswith(("stderr", "stdout"))]
        assert nanoseconds(told[0].timestamp) <= box.service.serving.create_time.timestamp() * 1e9
        assert dict(box.service.serving.environment) == {"LOG_LEVEL": "info", "B": "1", "A": "2"}
        return [(entry.log_name.rpartition("%2F")[2], entry.resource.labels["revision_name"][-9:]) for entry in told]

    assert play(work, environment={"B": "1"}) == [
        ("activity", ""),
        ("system", "00002-def"),
        ("system", "00002-def"),
        ("system_event", "00002-def"),
        ("system_event", ""),
        ("system", "00001-abc"),
    ]


CANARY = Deploy("chat-backend-staging-00002-def", "header-detection", "grace@example.com", E2E, "canary", traffic=False)


def test_a_tag_reaches_a_revision_without_traffic():
    """A revision can be tried before it serves: its entries bear its name and the tag's host, as Cloud Run's do."""

    async def work(box):
        box.build(Build("header-detection", "beef"))
        await box.deploy(CANARY)
        (tag,) = box.service.tags
        headers = {"X-Test-Type": "e2e"}
        async with connect(tag.url.replace("http", "ws") + "/ws", proxy=None, additional_headers=headers):
            pass
        with pytest.raises(InvalidStatus, match="403"):
            await socket(box, "/ws", additional_headers=headers)
        await box.frontend.idle()
        await box.tagged["canary"].idle()
        told = [
            (entry.http_request.status, entry.resource.labels["revision_name"])
            for entry in entries(box, platform.REQUESTS)
        ]
        assert sorted(told) == [(101, CANARY.revision), (403, "chat-backend-staging-00001-abc")]
        urls = [entry.http_request.request_url for entry in entries(box, platform.REQUESTS)]
        assert f"http://canary---{urlsplit(tag.url).netloc}/ws" in urls
        shown = [
            (said.revision[-9:], said.percent, said.tag, said.uri) for said in service_v2(box.service).traffic_statuses
        ]
        assert shown == [("00001-abc", 100, "", ""), ("00002-def", 0, "canary", tag.url)]
        (pinned, tagged) = documents(box, "v1")["service"]["status"]["traffic"]
        assert pinned == {"revisionName": "chat-backend-staging-00001-abc", "percent": 100}
        assert tagged == {"revisionName": CANARY.revision, "tag": "canary", "url": tag.url}

    play(work)


def test_a_tag_moves_and_keeps_its_url():
    """A tag is a name: the next revision that is given it answers at the same URL, and one that takes traffic has it."""

    async def work(box):
        await box.deploy(replace(CANARY, image="baseline"))
        (before,) = box.service.tags
        await box.deploy(replace(CANARY, image="baseline", revision="chat-backend-staging-00003-ghi", traffic=True))
        (after,) = box.service.tags
        assert (after.url, after.revision) == (before.url, "chat-backend-staging-00003-ghi")
        assert box.service.serving.name == after.revision
        assert service_v2(box.service).traffic_statuses[0].type_.name.endswith("_LATEST")

    play(work)


def test_the_runs_evidence_of_a_tag_and_of_a_proxy(tmp_path):
    """Live from end to end: three places, each probe found in the log by its trace, and only the endpoint decides."""

    async def work(box):
        box.build(Build("header-detection", "beef"))
        await box.deploy(CANARY)
        scenario = box.scenario
        return await asyncio.to_thread(
            gather,
            {
                "source": "cloud", "project": scenario.project, "region": scenario.region, "service": scenario.service,
                "start": "-5m", "endpoint": box.url.replace("127.0.0.1", "localhost"),
            },
            environ={"INCIDENT_GCP_ENDPOINT": box.address}, outputs=tmp_path,
        )  # fmt: skip

    evidence = play(work)
    assert list(dict.fromkeys(evidence.handshakes["place"])) == ["endpoint", "service", "tag:canary"]
    assert len(evidence.endpoint_handshakes) == 7
    told = places(evidence).set_index(["place", "name"])["difference"].to_dict()
    assert told == {
        ("service", "health"): "same", ("service", "no-header-refused"): "same", ("service", "x-test-type"): "same",
        ("tag:canary", "health"): "same", ("tag:canary", "no-header-refused"): "same",
        ("tag:canary", "x-test-type"): "mends",
    }  # fmt: skip
    both = sides(evidence)
    assert set(both["seen"] + " by " + both["matched"]) == {"seen by trace"}
    assert set(both.loc[both["place"] == "tag:canary", "revision_name"]) == {CANARY.revision}
    assert not any("httpRequest.userAgent" in query.filter for query in evidence.queries)


SERVING = """
import asyncio
from incident.drill.box import Box
from incident.drill.client import attempt
from incident.drill.scenario import load_scenario
from incident.drill.steps import Build, Deploy

async def main():
    scenario = load_scenario("staging")
    async with Box(scenario) as box:
        box.build(Build("baseline", "c0ffee"))
        await box.deploy(Deploy("chat-backend-staging-00001-abc", "baseline", "ada@example.com"))
        print(await attempt(box.url, scenario.requests["health"]), flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_sigkill_of_the_box_leaves_no_process(marked, tmp_path):
    """Nothing of ours can run after SIGKILL, so each instance must see for itself that it is alone."""
    mark = str(tmp_path / "mark")
    environment = {"PYTHONPATH": mark, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", SERVING], stdout=subprocess.PIPE, env=environment) as box:
        try:
            assert box.stdout.readline() == b"200\n"
            assert len(marked(mark)) == 3  # the box, the instance's master, its worker
        finally:
            box.kill()
    assert settles(marked, mark, 0)


def test_ports_are_outside_the_ephemeral_range():
    """A port that a client may be given as its own could be taken before the instance binds it."""
    assert all(15_000 <= free_port() < 32_000 for _ in range(20))
