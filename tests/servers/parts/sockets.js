// node's http server with ws beside it; the port is the only argument. NODE_PATH says where ws is.
const http = require("http");
const { WebSocketServer } = require("ws");

const echo = new WebSocketServer({ noServer: true });
echo.on("connection", (socket) => socket.on("message", (data) => socket.send(data.toString())));
const onlyKnown = new WebSocketServer({ noServer: true, verifyClient: () => false });
const onlyWs = new WebSocketServer({ noServer: true, path: "/ws" });
const terminates = new WebSocketServer({ noServer: true });
terminates.on("connection", (socket) => socket.terminate());

const server = http.createServer((request, response) => response.end("<!doctype html><title>chat</title>"));
server.on("upgrade", (request, socket, head) => {
  const upgrade = (sockets) => sockets.handleUpgrade(request, socket, head, (ws) => sockets.emit("connection", ws, request));
  const paths = {
    "/ws": () => upgrade(echo),
    "/verify-client": () => upgrade(onlyKnown),
    "/other-path": () => upgrade(onlyWs),
    "/terminates": () => upgrade(terminates),
    "/writes-a-line": () => socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n"),
    "/never-handled": () => undefined,
  };
  (paths[request.url] || (() => socket.destroy()))();
});
server.listen(Number(process.argv[2]), "127.0.0.1");
