"""An aiohttp server; the port is the only argument."""

import sys

from aiohttp import web

routes = web.RouteTableDef()


@routes.get("/ws")
async def ws(request):
    websocket = web.WebSocketResponse(heartbeat=0.1)
    await websocket.prepare(request)
    async for message in websocket:
        await websocket.send_str(message.data)
    return websocket


@routes.get("/forbidden")
async def forbidden(request):
    raise web.HTTPForbidden


@routes.get("/raises-after-accepting")
async def raises_after_accepting(request):
    await web.WebSocketResponse().prepare(request)
    raise RuntimeError("the database is down")


@routes.get("/health")
async def health(request):
    return web.json_response({"status": "healthy"})


app = web.Application()
app.add_routes(routes)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
