// node's http server without anything that takes an upgrade; the port is the only argument.
const http = require("http");

http
  .createServer((request, response) => {
    response.setHeader("Content-Type", "text/html");
    response.end("<!doctype html><title>chat</title>");
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
