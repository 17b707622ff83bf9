"""An ASGI application whose paths do what applications do to a WebSocket; any ASGI server can run it."""

import asyncio
import time

from fastapi import Depends, FastAPI, HTTPException, WebSocket, WebSocketException
from starlette.responses import Response
from starlette.websockets import WebSocketDisconnect

app = FastAPI()


async def echo(websocket: WebSocket):
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


def needs_token_by_close():
    raise WebSocketException(1008, "no token")


def needs_token_by_status():
    raise HTTPException(401, "no token")


@app.get("/health")
async def health():
    return {"status": "healthy"}


@app.websocket("/ws")
async def ws(websocket: WebSocket):
    await websocket.accept()
    await echo(websocket)


@app.websocket("/closes-before-accepting")
async def closes_before_accepting(websocket: WebSocket):
    await websocket.close(1008, "not allowed")


@app.websocket("/denies-with-a-response")
async def denies_with_a_response(websocket: WebSocket):
    await websocket.send_denial_response(Response("token expired", 401, {"WWW-Authenticate": "Bearer"}))


@app.websocket("/accepts-then-closes")
async def accepts_then_closes(websocket: WebSocket):
    await websocket.accept()
    await websocket.close(4401, "token expired")


@app.websocket("/raises-before-accepting")
async def raises_before_accepting(websocket: WebSocket):
    raise RuntimeError("the database is down")


@app.websocket("/raises-after-accepting")
async def raises_after_accepting(websocket: WebSocket):
    await websocket.accept()
    raise RuntimeError("the database is down")


@app.websocket("/returns-after-accepting")
async def returns_after_accepting(websocket: WebSocket):
    await websocket.accept()


@app.websocket("/hangs-before-accepting")
async def hangs_before_accepting(websocket: WebSocket):
    await asyncio.sleep(30)


@app.websocket("/chooses-a-subprotocol")
async def chooses_a_subprotocol(websocket: WebSocket):
    await websocket.accept(subprotocol="chat.v2")
    await echo(websocket)


@app.websocket("/blocks-the-loop")
async def blocks_the_loop(websocket: WebSocket):
    await websocket.accept()
    await asyncio.sleep(0.1)
    time.sleep(30)  # what a synchronous database driver does to an asynchronous server


@app.websocket("/dependency-closes")
async def dependency_closes(websocket: WebSocket, token: None = Depends(needs_token_by_close)):
    await websocket.accept()


@app.websocket("/dependency-answers")
async def dependency_answers(websocket: WebSocket, token: None = Depends(needs_token_by_status)):
    await websocket.accept()
