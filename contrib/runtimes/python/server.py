"""The runtime server of Python functions: loads a function and serves runs of it over HTTP, in both generations of handlers.

    def main(req, res)      req.variables, req.payload, req.headers; res.send(text, status), res.json(object, status)
    def main(context)       context.req, context.res, context.log, context.error; what res.text() and the like give is returned

Both may be async. The contracts are those of contrib/runtimes/node/server.mjs, which describes them. Runs overlap, each in a thread of its own: what is written while
a run is served belongs to that run, in threads that it starts as well.
"""
import asyncio
import builtins
import contextvars
import http.server
import importlib.util
import inspect
import io
import json
import os
import re
import socketserver
import sys
import threading
import time
import traceback
import urllib.parse

WAIT, TURNS = 0.025, 10  # seconds that work of a run may take to end after its answer, and looks at it, for a machine may be busy
BODY_MAX, OUTPUT_MAX = 20 * 1024 * 1024, 4 * 1024 * 1024  # characters of each output of a run; the server keeps a million
current = contextvars.ContextVar("run", default=None)


# ---- what a run writes ----


lock = threading.Lock()


def witness(number, which, text):
    """For the executor, at once, should the process end before the answer: see server.mjs."""
    data = text.encode("utf-8", "replace")
    data = f"\x1e{number} {which} {len(data)}\n".encode() + data
    with lock:
        while data:
            data = data[os.write(1, data) :]


class Output:
    def __init__(self, number, which):
        self.parts, self.length, self.dropped, self.number, self.which = [], 0, 0, number, which

    def add(self, text):
        room = OUTPUT_MAX - self.length
        self.dropped += max(0, len(text) - room)
        text = text[:room]
        if text:
            self.parts.append(text)
            self.length += len(text)
            if self.number:
                witness(self.number, self.which, text)

    def __str__(self):
        return "".join(self.parts) + (f"\n[{self.dropped} more characters were dropped]" if self.dropped else "")


class Run:
    def __init__(self, request):
        number = request.headers.get("x-badal-run")
        self.logs, self.errors, self.over = Output(number, "l"), Output(number, "e"), False
        self.threads, self.left = [], 0  # that it began; how many of them go on after its end

    def add(self, which, text):
        if not self.over:  # what comes after the answer belongs to nobody
            getattr(self, which).add(text)

    def end(self):
        """What comes now belongs to nobody. What ends by itself in a moment is waited for."""
        end = time.monotonic() + WAIT
        for thread in self.threads:
            turns = 0
            while works(thread) and (turns < TURNS or time.monotonic() < end):
                thread.join(0.001)
                turns += 1
        self.left = sum(map(works, self.threads))
        if self.left:
            self.add("errors", f"The function went on with work after its answer ({self.left} × thread): that ends with the run.\n")
        self.over = True


def works(thread):
    """Whether it does something: threads of a pool that wait for work do not."""
    frame = sys._current_frames().get(thread.ident) if thread.is_alive() else None
    return frame is not None and not (frame.f_code.co_name == "_worker" and frame.f_code.co_filename.endswith("concurrent/futures/thread.py"))


class Stream(io.TextIOBase):
    """sys.stdout and sys.stderr: of the run that is served, else the real one."""

    def __init__(self, real, which):
        self.real, self.which = real, which

    def write(self, text):
        run = current.get()
        if run is None:
            return self.real.write(text)
        run.add(self.which, text)
        return len(text)

    def flush(self):
        self.real.flush()

    def fileno(self):
        return self.real.fileno()

    @property
    def encoding(self):
        return "utf-8"

    @property
    def buffer(self):
        return Bytes(self)


class Bytes(io.RawIOBase):
    def __init__(self, stream):
        self.stream = stream

    def writable(self):
        return True

    def write(self, data):
        self.stream.write(bytes(data).decode("utf-8", "replace"))
        return len(data)


sys.stdout, sys.stderr = Stream(sys.stdout, "logs"), Stream(sys.stderr, "errors")

# Threads begin with an empty context; those of a run are the run's.
thread_start = threading.Thread.start


def start_in_context(thread):
    context, run, of = contextvars.copy_context(), thread.run, current.get()
    if of is not None:
        of.threads.append(thread)
    thread.run = lambda: context.run(run)
    thread_start(thread)


threading.Thread.start = start_in_context


def reason():
    """What was thrown, from the function's own lines on."""
    kind, error, at = sys.exc_info()
    while at is not None and at.tb_frame.f_code.co_filename == __file__:
        at = at.tb_next
    return "".join(traceback.format_exception(kind, error, at))


def words(args):
    return " ".join(a if isinstance(a, str) else dumps(a) if isinstance(a, (dict, list)) else str(a) for a in args) + "\n"


def dumps(value):
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError):
        return repr(value)


# ---- the function ----


class Function:
    secret = handler = generation = broken = None


def load(code, entrypoint):
    file = os.path.join(code, entrypoint)
    if not os.path.isfile(file):
        raise FileNotFoundError(f"There is no file {entrypoint}. What there is: {', '.join(sorted(os.listdir(code))[:20])}")
    sys.path[0] = os.path.dirname(file)
    if sys.path[0] != code:
        sys.path.insert(1, code)
    spec = importlib.util.spec_from_file_location(re.sub(r"\W", "_", os.path.splitext(os.path.basename(entrypoint))[0]), file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    if not callable(getattr(module, "main", None)):
        raise TypeError(f"{entrypoint} defines no function main: def main(context): …")
    return module.main


def parameters(handler):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in inspect.signature(handler).parameters.values())


def start(told):
    os.environ.update({k: str(v) for k, v in told.get("variables", {}).items()})
    code = os.path.realpath(told.get("code") or "/code")
    os.chdir(code)
    Function.secret = told.get("secret")
    try:
        Function.handler = load(code, told["entrypoint"])
    except BaseException:  # a module that exits is broken, too
        Function.broken = reason()
    asked = told.get("generation")
    Function.generation = asked if asked in ("v2", "v5") else "v2" if Function.handler and parameters(Function.handler) >= 2 else "v5"
    return {"generation": Function.generation, **({"error": Function.broken} if Function.broken else {})}


def call(*args):
    given = Function.handler(*args)
    return asyncio.run(given) if inspect.iscoroutine(given) else given


# ---- (req, res) ----


class OldRequest:
    def __init__(self, asked):
        self.variables, self.payload, self.headers = asked.get("variables") or {}, asked.get("payload") or "", asked.get("headers") or {}
        self.env = self.variables


class OldResponse:
    def __init__(self, run):
        self.run, self.answer = run, None

    def once(self, response, status):
        if self.answer:
            self.run.add("errors", "The function has answered already: the first answer counts.\n")
        self.answer = self.answer or (response, status)

    def send(self, text="", status=200):
        self.once(text if isinstance(text, str) else str(text), status)

    def json(self, value=None, status=200):
        self.once(value, status)


def serve_old(request):
    asked, run = json.loads(request.body() or b"{}"), Run(request)
    if request.headers.get("x-internal-challenge") != Function.secret:
        return request.reply(500, {"stderr": "Unauthorized"})
    os.environ.update({k: str(v) for k, v in (asked.get("variables") or {}).items() if k not in ("APPWRITE_FUNCTION_DATA", "APPWRITE_FUNCTION_EVENT_DATA")})
    res = OldResponse(run)
    current.set(run)
    try:
        if Function.broken:
            run.add("errors", Function.broken)
        else:
            call(OldRequest(asked), res)
            if not res.answer:
                run.add("errors", "The function ended without an answer: it calls res.send(…) or res.json(…) before it ends.\n")
    except BaseException:
        run.add("errors", reason())
    current.set(None)
    run.end()
    response, status = res.answer or ("", 500)
    return request.reply(status, {"response": response, "stdout": str(run.logs).removesuffix("\n"), "stderr": str(run.errors).removesuffix("\n")}, {"x-badal-left": 1} if run.left else {})


# ---- (context) ----


class Request:
    def __init__(self, request, data):
        self.headers = {k.lower(): v for k, v in request.headers.items() if not re.match(r"x-(open-runtimes|badal)-", k, re.I)}
        self.headers.update({k.lower(): str(v) for k, v in json.loads(os.environ.get("OPEN_RUNTIMES_HEADERS") or "{}").items()})
        self.method = request.headers.get("x-badal-method") or request.command
        self.scheme, host = self.headers.get("x-forwarded-proto", "http"), self.headers.get("host", "")
        name = re.fullmatch(r"(.*?)(?::(\d+))?", host)
        self.host, self.port = name[1], int(name[2] or (443 if self.scheme == "https" else 80))
        self.path, _, self.query_string = request.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(self.query_string, keep_blank_values=True))
        self.url, self.body_binary = f"{self.scheme}://{host}{request.path}", data

    @property
    def body_text(self):
        return self.body_binary.decode("utf-8", "replace")

    body_raw = body_text

    @property
    def body_json(self):
        return json.loads(self.body_text or "{}")

    @property
    def body(self):
        kind = self.headers.get("content-type", "").lower()
        if kind.startswith("application/json"):
            return self.body_json if self.body_binary else ""
        return self.body_binary if re.match(r"application/octet-stream|image/|audio/|video/", kind) else self.body_text


class Response:
    def text(self, body="", status=200, headers=None):
        return {"body": body, "statusCode": status, "headers": headers or {}}

    send = binary = text

    def json(self, value=None, status=200, headers=None):
        return self.text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), status, {**(headers or {}), "content-type": "application/json"})

    def empty(self):
        return self.text("", 204)

    def redirect(self, url, status=301, headers=None):
        return self.text("", status, {**(headers or {}), "location": url})


class Context:
    def __init__(self, request, data, run):
        self.req, self.res = Request(request, data), Response()
        self.log, self.error = (lambda *args: run.add("logs", words(args))), (lambda *args: run.add("errors", words(args)))


def run_new(request, data, run):
    current.set(run)
    if Function.broken:
        run.add("errors", Function.broken)
        return Response().text("", 503)
    try:
        given = call(Context(request, data, run))
        if isinstance(given, dict) and "statusCode" in given:
            return given
        run.add("errors", "The function returned no answer: return context.res.text(…), json(…), binary(…), empty() or redirect(…).\n")
    except BaseException:
        run.add("errors", reason())
    return Response().text("", 500)


def timed(seconds, run, work):
    """work's answer, or that it took too long; its thread goes on, for nothing can end it but the end of the process."""
    done, box = threading.Event(), []

    def body():
        box.append(work())
        done.set()

    threading.Thread(target=body, daemon=True).start()
    if done.wait(seconds):
        return box[0]
    run.add("errors", "Execution timed out.\n")
    return Response().text("", 500)


def headers_of(given):
    headers = {k.lower(): str(v) for k, v in (given or {}).items() if not re.match(r"x-(open-runtimes|badal)-", k, re.I)}
    kind = headers.setdefault("content-type", "text/plain")
    if not kind.startswith("multipart/") and "charset=" not in kind.lower():
        headers["content-type"] += "; charset=utf-8"
    return {k: v for k, v in headers.items() if k not in ("content-length", "transfer-encoding")}


def parts_of(given):
    """Status, body and headers of an answer, as they can be sent."""
    status, body, headers = given["statusCode"], given["body"], headers_of(given["headers"])
    if type(status) is not int or not 200 <= status <= 599:
        raise ValueError(f"The status of an answer is a number from 200 to 599, not {status!r}.")
    if not all(re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", k) for k in headers):
        raise ValueError("The name of a header has letters, digits and hyphens.")
    headers = {k: re.sub(r"[\r\n\0]", " ", v) for k, v in headers.items()}
    "".join(headers.values()).encode("latin-1")
    body = bytes(body) if isinstance(body, (bytes, bytearray, memoryview)) else (body if isinstance(body, str) else "" if body is None else dumps(body)).encode(errors="replace")
    return status, body, headers


def serve_new(request):
    data, told = request.body(), request.headers
    if Function.secret and told.get("x-open-runtimes-secret") != Function.secret:
        return request.reply(500, {"message": "Unauthorized"})
    try:
        seconds = float(told.get("x-open-runtimes-timeout") or 0)
    except ValueError:
        return request.reply(500, {"message": "x-open-runtimes-timeout is a number of seconds"})
    if told.get("x-badal-endpoint"):  # of this run: it says how deep in a chain it is
        os.environ["APPWRITE_FUNCTION_API_ENDPOINT"] = told["x-badal-endpoint"]
    run = Run(request)
    given = timed(seconds, run, lambda: run_new(request, data, run)) if seconds > 0 else contextvars.copy_context().run(run_new, request, data, run)
    run.end()
    try:
        status, body, headers = parts_of(given)
    except Exception:  # no answer that can be sent
        run.errors.add(reason())
        status, body, headers = 500, b"", {"content-type": "text/plain; charset=utf-8"}
    if told.get("x-badal-logs") != "inline":
        return request.answer(status, headers, body)
    logs, errors = (str(o).encode(errors="replace") if told.get("x-open-runtimes-logging") != "disabled" else b"" for o in (run.logs, run.errors))
    lengths = "".join(f"{len(b):016x}" for b in (body, logs, errors)).encode()
    return request.answer(200, {**headers, "x-badal-status": status, **({"x-badal-left": 1} if run.left else {})}, body + logs + errors + lengths)


# ---- serving ----


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return ""

    def body(self):
        if "chunked" not in (self.headers.get("transfer-encoding") or ""):
            return self.rfile.read(min(int(self.headers.get("content-length") or 0), BODY_MAX))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, re.sub(r"[\r\n]", " ", str(value)))
        if status >= 200 and status not in (204, 304):
            self.send_header("content-length", len(body))
        self.end_headers()
        if status >= 200 and status not in (204, 304) and self.command != "HEAD":
            self.wfile.write(body)

    def reply(self, status, value, headers={}):
        self.answer(status, {"content-type": "application/json", **headers}, json.dumps(value, ensure_ascii=False).encode(errors="replace"))

    def serve(self):
        if self.path == "/__opr/health":
            self.answer(200, {}, b"OK")
        elif self.path == "/__badal/start" and Function.generation is None:
            self.reply(200, start(json.loads(self.body())))
        elif Function.generation is None:
            self.reply(503, {"stderr": "The function has not been started."})
        else:
            (serve_old if Function.generation == "v2" else serve_new)(self)

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads, request_queue_size = True, 128

    def get_request(self):
        connection, _ = super().get_request()
        return connection, ("", 0)


class TcpServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads, request_queue_size = True, 128


def main():
    # what goes to the descriptor itself and not to our streams must not wait in a buffer
    sys.stdout.real.reconfigure(line_buffering=True)
    builtins.exit = builtins.quit = sys.exit
    socket_path = os.environ.get("BADAL_SOCKET")
    server = UnixServer(socket_path, Handler) if socket_path else TcpServer(("", 3000), Handler)
    server.serve_forever()


if __name__ == "__main__":
    main()
