"""git http-backend behind a web server that does little else."""

import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BACKEND = Path("/usr/lib/git-core/git-http-backend")
LIMIT = 60.0
"""Seconds for one request, also on a busy machine."""


class _Backend(BaseHTTPRequestHandler):
    """A web server that does nothing but start git http-backend for whom it may."""

    def do_GET(self):
        if self.server.moved_to is not None:
            self.send_response(302)
            self.send_header("Location", self.server.moved_to + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.server.authorization not in {None, self.headers.get("Authorization")}:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        length = self.headers.get("Content-Length") or "0"
        done = subprocess.run(
            [str(BACKEND)],
            env=self.server.environment
            | {
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                "CONTENT_LENGTH": length,
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
                "REMOTE_USER": "alice",
                "REMOTE_ADDR": "127.0.0.1",
            },
            input=self.rfile.read(int(length)),
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if line]
        status = next((v for k, v in headers if k == "Status"), "200").split()[0]
        self.send_response(int(status))
        for key, value in headers:
            if key != "Status":
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the names are http.server's

    def log_message(self, *_):
        pass


@contextmanager
def serving(root, environment, *, certificate=None, authorization=None, moved_to=None):
    """Serve the repositories below a directory; gives the URL.

    Args:
        certificate: A file of it and its key, for TLS.
        authorization: The header that whoever comes needs; None: no one does.
        moved_to: The URL of another server to which all are sent.
    """
    web = ThreadingHTTPServer(("127.0.0.1", 0), _Backend)
    web.authorization, web.moved_to = authorization, moved_to
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        web.socket = context.wrap_socket(web.socket, server_side=True)
    web.environment = environment | {"GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1"}
    thread = threading.Thread(target=web.serve_forever)
    thread.start()
    try:
        yield f"http{'s' if certificate else ''}://127.0.0.1:{web.server_address[1]}"
    finally:
        web.shutdown()
        thread.join(LIMIT)
        web.server_close()
