"""A real HTTP server in a thread that can misbehave in the ways that servers and networks do."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What the server does with one request.

    Attributes:
        body: The whole file.
        status: For a whole file; 206 is sent by itself where a range is asked for and ``ranges``.
        headers: Sent along.
        ranges: Whether ranges are honoured.
        cut_after: Close the connection after so many bytes.
        claimed_length: Content-Length, where it is a lie.
        raw: Makes what is sent instead of all this, from the status line on, until the client has
            had enough.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    cut_after: int | None = None
    claimed_length: int | None = None
    raw: Callable[[], Iterator[bytes]] | None = None


class FileServer:
    """Answers each path from its list; the last answer is given again and again."""

    def __init__(self, url: str):
        self.url = url
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.lock = threading.Lock()

    def next_answer(self, path: str, headers: dict[str, str]) -> Answer:
        with self.lock:
            self.requests.append((path, headers))
            answers = self.answers.get(path, [Answer(b"no such file", status=404)])
            return answers.pop(0) if len(answers) > 1 else answers[0]


@contextlib.contextmanager
def serving() -> Iterator[FileServer]:
    """Yields a server on a free port of this machine; it is stopped when the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = files.next_answer(self.path, dict(self.headers))
            self.close_connection = True
            if answer.raw is not None:
                with contextlib.suppress(OSError):
                    for piece in answer.raw():
                        self.wfile.write(piece)
                return
            body, status, headers = _response(answer, self.headers.get("Range"))
            self.send_response(status)
            length = len(body) if answer.claimed_length is None else answer.claimed_length
            for name, value in {**headers, "Content-Length": str(length)}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body if answer.cut_after is None else body[: answer.cut_after])

        def log_message(self, *_args: object) -> None:
            """Keeps the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    files = FileServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield files
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _response(answer: Answer, asked: str | None) -> tuple[bytes, int, dict[str, str]]:
    if not (asked and answer.ranges and answer.status == 200):
        return answer.body, answer.status, answer.headers
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    total = len(answer.body)
    content_range = {"Content-Range": f"bytes {start}-{total - 1}/{total}"}
    return answer.body[start:], 206, answer.headers | content_range
