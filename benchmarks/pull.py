"""Log entries to a frame, over gRPC: this package beside the official client's idiom and beside decoding alone.

    python benchmarks/pull.py [--entries 200000] [--repeat 5]

A stand-in on loopback sends pages that were serialised in advance. Each client is a fresh process, in turns; each
figure is the median of its rounds, each ratio the median of the rounds' own ratios. Seconds are of the clock and,
beside them, of the client's own processor time, which a busy machine changes less. Redaction is timed apart, on the
result.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from statistics import median
from typing import Any

PAGE_SIZE = 1000
SEED = 20250907
METHOD = "/google.logging.v2.LoggingServiceV2/ListLogEntries"
OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1))
FILTER = 'timestamp>="2025-09-07T10:00:00Z"'
TRACEBACK = """Traceback (most recent call last):
  File "/usr/local/lib/python3.11/site-packages/uvicorn/protocols/websockets/websockets_impl.py", line 244, in run_asgi
    result = await self.app(self.scope, self.asgi_receive, self.asgi_send)
  File "/srv/app/main.py", line {line}, in websocket
    user = authenticate(scope["headers"])
  File "/srv/app/auth.py", line 41, in authenticate
    raise PermissionError("no header says who this is")
PermissionError: no header says who this is"""
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
    "Python/3.11 websockets/15.0.1",
    "okhttp/4.12.0",
)


# The entries: the shapes that the drill's services write.


def log_entries(rng: random.Random) -> Iterator[Any]:
    """Entries without end, oldest first, of nine revisions on sixty instances."""
    from incident.drill.entries import Origin, set_time

    service = Origin(
        "my-project", "us-central1", "chat", labels={"commit-sha": "c0ffee0", "managed-by": "gcp-cloud-build"}
    )
    revisions = [service.at(revision=f"chat-{number:05d}-{rng.randbytes(2).hex()[:3]}") for number in range(131, 140)]
    origins = [rng.choice(revisions).at(instance_id=rng.randbytes(75).hex(), container="app-1") for _ in range(60)]
    shapes, shares = zip((request, 45), (line, 33), (traceback, 6), (document, 10), (system, 6), strict=True)
    time_ns = 1_757_239_200_000_000_000
    while True:
        time_ns += rng.randrange(1, 40_000_000)
        entry = rng.choices(shapes, shares)[0](rng, rng.choice(origins), time_ns)
        entry.insert_id = rng.randbytes(10).hex()
        set_time(entry.receive_timestamp, time_ns + rng.randrange(10**8, 3 * 10**9))
        yield entry


def request(rng: random.Random, origin: Any, time_ns: int) -> Any:
    """A handshake: accepted, refused by the application, or failed by the platform, which then has a text."""
    from incident.drill.entries import Served, request_entry

    status = rng.choice((101, 101, 101, 200, 403, 503))
    url = f"https://chat-7gq2x.a.run.app/ws?room={rng.randrange(500)}&client={rng.randbytes(4).hex()}"
    text = (
        "The request failed because either the HTTP response was malformed or connection to the instance had an error."
    )
    served = Served(
        "GET", url, "HTTP/1.1", time_ns, rng.randbytes(16).hex(), rng.randbytes(8).hex(), True, rng.choice(AGENTS), "",
        f"10.1.{rng.randrange(40)}.{rng.randrange(250)}", status, 327, 67, rng.randrange(10**6, 60 * 10**9),
        text if status == 503 else "",
    )  # fmt: skip
    return request_entry(origin, served)


def line(rng: random.Random, origin: Any, time_ns: int) -> Any:
    """A plain line on standard error: uvicorn's or gunicorn's."""
    from incident import platform
    from incident.drill.entries import container_entry

    client = f"10.1.{rng.randrange(40)}.{rng.randrange(250)}:{rng.randrange(1024, 65536)}"
    lines = (
        f'INFO:     {client} - "WebSocket /ws" [accepted]',
        "INFO:     connection open",
        "INFO:     connection closed",
    )
    return container_entry(origin, platform.STDERR, rng.choice(lines), "DEFAULT", time_ns)


def traceback(rng: random.Random, origin: Any, time_ns: int) -> Any:
    """A traceback, which is one entry."""
    from incident import platform
    from incident.drill.entries import container_entry

    return container_entry(origin, platform.STDERR, TRACEBACK.format(line=rng.randrange(100)), "ERROR", time_ns)


def document(rng: random.Random, origin: Any, time_ns: int) -> Any:
    """A line of an application that logs JSON: six fields, one of them nested, with a trace."""
    from incident import platform
    from incident.drill.entries import new_entry

    room, entry = f"room-{rng.randrange(500)}", new_entry(origin, platform.STDOUT, "INFO", time_ns)
    entry.json_payload.update(
        {"message": f"{room} joined", "user": rng.randrange(10_000), "elapsed_ms": rng.random() * 100}
        | {"logger": "chat.rooms", "first": rng.random() < 0.5, "context": {"room": room, "tags": ["ws", "e2e"]}}
    )
    entry.trace = f"projects/my-project/traces/{rng.randbytes(16).hex()}"
    return entry


def system(rng: random.Random, origin: Any, time_ns: int) -> Any:
    """What the platform says of an instance."""
    from incident import platform
    from incident.drill.entries import system_entry

    return system_entry(origin, platform.START_AUTOSCALING, time_ns)


def pages(count: int) -> list[bytes]:
    """The answers to `entries.list`, serialised; a page's token is its number."""
    from google.cloud.logging_v2.types import ListLogEntriesResponse

    answer, entries = ListLogEntriesResponse.pb(), islice(log_entries(random.Random(SEED)), count)
    made: list[bytes] = []
    while held := list(islice(entries, PAGE_SIZE)):
        more = (len(made) + 1) * PAGE_SIZE < count
        made.append(answer(entries=held, next_page_token=str(len(made) + 1) if more else "").SerializeToString())
    return made


def serve(count: int) -> None:
    """Send the pages, as they are, until the process is ended; says its port first."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc
    from google.cloud.logging_v2.types import ListLogEntriesRequest

    answers = pages(count)
    handler = grpc.unary_unary_rpc_method_handler(
        lambda asked, context: answers[int(asked.page_token or 0)],
        request_deserializer=ListLogEntriesRequest.pb().FromString,
    )
    service, method = METHOD.strip("/").split("/")
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


# The clients: each returns what is timed, and that returns the frame, or the number of entries where there is none.


def official(channel: Any) -> Callable[[], Any]:
    """`Client.list_entries` into a frame, as its users write it."""
    import pandas as pd
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import logging
    from google.cloud.logging_v2 import _gapic
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client

    client = logging.Client(project="my-project", credentials=AnonymousCredentials(), _use_grpc=True)
    transport = LoggingServiceV2Client.get_transport_class("grpc")(channel=channel)
    client._logging_api = _gapic._LoggingAPI(LoggingServiceV2Client(transport=transport), client)

    def row(entry: Any) -> dict[str, Any]:
        return {
            "timestamp": entry.timestamp, "receive_timestamp": entry.received_timestamp, "severity": entry.severity,
            "log_name": entry.log_name, "insert_id": entry.insert_id, "payload": entry.payload,
            "labels": entry.labels, "resource": entry.resource.labels, "http_request": entry.http_request,
            "trace": entry.trace, "span_id": entry.span_id,
        }  # fmt: skip

    return lambda: pd.DataFrame([row(entry) for entry in client.list_entries(filter_=FILTER, page_size=PAGE_SIZE)])


def decoding(channel: Any) -> Callable[[], Any]:
    """The official messages from the bytes, and nothing more."""
    from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse

    request = ListLogEntriesRequest.pb()(filter=FILTER, page_size=PAGE_SIZE)
    call = channel.unary_unary(
        METHOD, request_serializer=type(request).SerializeToString,
        response_deserializer=ListLogEntriesResponse.pb().FromString,
    )  # fmt: skip

    def count() -> int:
        entries = 0
        while True:
            page = call(request)
            entries += len(page.entries)
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return entries

    return count


def ours(channel: Any) -> Callable[[], Any]:
    """Pages into the frame `logs`: split entries joined, each entry once, our own probes marked."""
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
    from google.cloud.logging_v2.types import ListLogEntriesRequest

    from incident.sources import columns, decode, entries

    client = LoggingServiceV2Client(transport=decode.Transport(channel=channel))
    request = ListLogEntriesRequest(resource_names=["projects/my-project"], filter=FILTER, page_size=PAGE_SIZE)

    def frame() -> Any:
        batches = [columns.page_batch(page.entries) for page in client.list_log_entries(request).pages]
        return entries.probes_marked(columns.logs_frame(batches)[0], {})

    return frame


CLIENTS = {"official": official, "decoding": decoding, "ours": ours}


def measure(name: str, port: str) -> dict[str, float]:
    """One client's figures, of this process: seconds, processor seconds, the peak of its memory in MiB."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
        run = CLIENTS[name](channel)
        began, began_cpu = time.perf_counter(), time.process_time()
        result = run()
        figures = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - began_cpu}
    figures["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["entries"] = result if name == "decoding" else len(result)
    return figures | (redaction(result) if name == "ours" else {})


def redaction(logs: Any) -> dict[str, float]:
    """What the two passes of redaction cost beside it, and the share of times that keep their nanoseconds."""
    from incident.redact import Redactor

    redactor, began, began_cpu = Redactor.fresh(), time.perf_counter(), time.process_time()
    redactor.learn_frame(logs)
    redactor.frame(logs)
    return {
        "redaction": time.perf_counter() - began, "redaction_cpu": time.process_time() - began_cpu,
        "nanoseconds": float((logs["timestamp"].dt.nanosecond != 0).mean()),
    }  # fmt: skip


def compare(count: int, repeat: int) -> None:
    """Measure every client in turns, and print the table."""
    with subprocess.Popen(
        [sys.executable, __file__, "--serve", str(count)], stdout=subprocess.PIPE, text=True
    ) as server:
        port = server.stdout.readline().strip()  # type: ignore[union-attr]  # it is a pipe
        rounds = []
        for number in range(repeat):
            rounds.append({name: fresh(name, port) for name in CLIENTS})
            print(f"round {number + 1} of {repeat} done", file=sys.stderr)
        server.terminate()
    assert all(figures["entries"] == count for each in rounds for figures in each.values())
    print(f"{count:,} entries, {repeat} rounds, medians\n")
    print(f"{'':14}{'entries/s':>12}{'of cpu':>12}{'peak MiB':>10}")
    for name in CLIENTS:
        rate, cpu, peak = (median(each[name][key] for each in rounds) for key in ("seconds", "cpu", "peak"))
        print(f"{name:14}{count / rate:12,.0f}{count / cpu:12,.0f}{peak:10.0f}")
    rates = f"{ratio(rounds, 'seconds'):.1f}, of cpu {ratio(rounds, 'cpu'):.1f}"
    print(f"\nours / official  entries/s {rates} (at least 8)")
    print(f"                 peak memory {1 / ratio(rounds, 'peak'):.2f} (at most 0.45)")
    beside = [each["ours"]["redaction_cpu"] / each["ours"]["cpu"] for each in rounds]
    print(f"redaction beside it: {median(beside):.1f} times the processor time of ours")
    print(f"times with nanoseconds: {median(each['ours']['nanoseconds'] for each in rounds):.1%} of ours")


def ratio(rounds: list[dict[str, dict[str, float]]], key: str) -> float:
    """How many times the official idiom takes of ours, the median of the rounds."""
    return median(each["official"][key] / each["ours"][key] for each in rounds)


def fresh(name: str, port: str) -> dict[str, float]:
    """One client's figures in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--client", name, port], stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def main() -> None:
    """Read the command line: a comparison, or one of the processes that it starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--client", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve)
    elif asked.client:
        print(json.dumps(measure(*asked.client)))
    else:
        compare(asked.entries, asked.repeat)


if __name__ == "__main__":
    main()
