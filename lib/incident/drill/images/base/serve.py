"""A small application server of gunicorn's habits: it binds its port first, and a worker imports the application.

`python -m serve PACKAGE.MODULE`; the port is $PORT. The module's `serve(listener)` coroutine function serves on the
bound socket. A TCP connect therefore succeeds before it is known whether the application can be imported at all.
When standard input ends, whoever started this server is gone: it ends too, whatever its worker is doing.
"""

import importlib
import os
import select
import signal
import socket
import sys
import time
import traceback

import config

WORKER_BOOT_ERROR = 3


def log(level, message):
    print(f"[{time.strftime('%Y-%m-%d %H:%M:%S +0000', time.gmtime())}] [{os.getpid()}] [{level}] {message}", file=sys.stderr)


def listen(port):
    listener = socket.create_server(("127.0.0.1", port), backlog=2048)
    log("INFO", f"Listening at: http://127.0.0.1:{listener.getsockname()[1]} ({os.getpid()})")
    return listener


def work(application, listener, master):
    """Import the application and serve until told to stop; the status is the worker's exit code."""
    log("INFO", f"Booting worker with pid: {os.getpid()}")
    try:
        module = importlib.import_module(application)
    except Exception:
        log("ERROR", "Exception in worker process")
        traceback.print_exc()
        return WORKER_BOOT_ERROR
    import asyncio  # only a worker that can serve needs it

    asyncio.run(serve(module, listener, master))
    return 0


async def serve(module, listener, master):
    """Serve until SIGTERM, and no longer than the master lives."""
    import asyncio

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(master, os._exit, 0)
    await module.serve(listener, stop)


def fork_worker(application, listener):
    """Start the worker. Each side has a pipe that ends when the other does; the master's is returned."""
    worker, held_by_worker = os.pipe()
    master, held_by_master = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # one that comes in between would reach neither
    pid = os.fork()
    if pid:
        signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if pid:
        os.close(held_by_worker)
        os.close(master)
        return pid, worker
    os.close(worker)
    os.close(held_by_master)
    status = work(application, listener, master)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def watch(pid, worker):
    """Wait for the worker, and end it when standard input ends first."""
    while True:
        ready, _, _ = select.select([worker, 0], [], [])
        if worker in ready:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if not os.read(0, 1):
            os.kill(pid, signal.SIGKILL)
            os._exit(0)


def main():
    config.prepare(log)
    listener = listen(config.port(os.environ))
    status = watch(*fork_worker(sys.argv[1], listener))
    if status == WORKER_BOOT_ERROR:
        log("ERROR", "Shutting down: Master")
        log("ERROR", "Reason: Worker failed to boot.")
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
