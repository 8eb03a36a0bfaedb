#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A web server for the tests of probes: web.py ADDRESS PORT [CERT KEY [CLIENT_CA]]; prints "ready" when it listens.

/status/N answers with that status, /slow/MS after that time, /big/N with N bytes, /hang never, /moved with a redirect to
/ok, /cut breaks off in the middle, all else with JSON.
"""
import json
import socket
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = {"health": "true", "count": 3, "half": 0.5, "up": True, "none": None, "list": [{"a/b": "x", "m~n": 8}]}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        word, _, number = self.path[1:].partition("/")
        body = json.dumps(ANSWER).encode()
        status = 200
        if word == "status":
            status = int(number)
        elif word == "slow":
            time.sleep(int(number) / 1000)
        elif word == "big":
            body = b"x" * int(number)
        elif word == "hang":
            time.sleep(600)
        elif word == "moved":
            status = 302
        elif word == "text":
            body = b"all is <well> \xff\n"
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/ok")
        self.send_header("Content-Length", str(len(body) + (word == "cut")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET

    def server_bind(self):
        self.socket.bind(self.server_address)  # without a look-up of the host's name

    def handle_error(self, *_):
        pass


server = Server((sys.argv[1], int(sys.argv[2])), Handler)
if len(sys.argv) > 4:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    if len(sys.argv) > 5:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(sys.argv[5])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("ready", flush=True)
server.serve_forever()
