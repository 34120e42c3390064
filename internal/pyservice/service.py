"""A webhook service with the four admin endpoints, on Debian's FastAPI and uvicorn.

It reads webhooks.json and connections.json from a directory and has the habits of such a service:
{$VAR} and {$VAR:default} are put in from its own environment before anything is checked or hashed, a
new file is written before it is checked and is not put back, and for a while after a refusal another
reload is said to be in progress.

Its first line on standard output is {"url": ...}; it ends when its standard input does.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import re
import socket
import sys
import threading
import time
from datetime import datetime, timezone

try:
    import uvicorn
    from fastapi import FastAPI, HTTPException, Request
    from fastapi.responses import JSONResponse
except ImportError as e:
    sys.exit(f"missing: Python's {e.name}; on Debian: sudo apt-get install python3-fastapi python3-uvicorn")

VERSION = "1.4.0"
NEEDS = {"webhooks": ("module", "chain"), "connections": ("type",)}  # one of these in each entry
PLACEHOLDER = re.compile(r"\{\$(\w+)(?::([^}]*))?\}")


class Refused(Exception):
    """What a file holds cannot be run."""


def fill(value):
    """Puts the environment into every text of a configuration; names of members stay as they are."""
    if isinstance(value, dict):
        return {name: fill(member) for name, member in value.items()}
    if isinstance(value, list):
        return [fill(element) for element in value]
    if isinstance(value, str):
        return PLACEHOLDER.sub(variable, value)
    return value


def variable(match):
    name, default = match.groups()
    found = os.environ.get(name, default)
    return f"Undefined variable {name}" if found is None else found


def check(kind, config, modules):
    if not isinstance(config, dict) or not config:
        raise Refused(f"{kind} configuration must be an object with at least one entry")
    for name, entry in config.items():
        if not isinstance(entry, dict):
            raise Refused(f"{kind}: '{name}' must be an object")
        if not any(field in entry for field in NEEDS[kind]):
            raise Refused(f"{kind}: '{name}' is missing required field '{' or '.join(NEEDS[kind])}'")
        if kind == "webhooks" and modules and entry.get("module", modules[0]) not in modules:
            raise Refused(f"{kind}: '{name}': module '{entry['module']}' is not installed")


def digest(config):
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


def now():
    return datetime.now(timezone.utc).isoformat()


class Service:
    def __init__(self, options):
        self.options = options
        self.running = {kind: {} for kind in NEEDS}  # as filled in
        self.started = time.monotonic()
        self.last_reload = None
        self.busy_until = 0.0
        self.lock = asyncio.Lock()

    def path(self, kind):
        return os.path.join(self.options.dir, kind + ".json")

    def write(self, kind, config):
        """Writes the file; a reader finds the one before or the new one."""
        with open(self.path(kind) + ".new", "w", encoding="utf-8") as f:
            json.dump(config, f, indent=2)
        os.replace(self.path(kind) + ".new", self.path(kind))

    def load(self, kind):
        """Runs what the file of a kind holds, and tells what that changed."""
        if time.monotonic() < self.busy_until:
            raise Refused("Reload already in progress")
        try:
            with open(self.path(kind), encoding="utf-8") as f:
                config = fill(json.load(f))
            check(kind, config, self.options.modules)
        except FileNotFoundError:
            raise Refused(f"{kind}.json file not found")
        except (Refused, ValueError) as e:
            self.busy_until = time.monotonic() + self.options.busy
            raise Refused(f"Validation failed: {e}")
        before, self.running[kind] = self.running[kind], config
        self.last_reload = now()
        return {
            f"{kind}_added": len(config.keys() - before.keys()),
            f"{kind}_removed": len(before.keys() - config.keys()),
            f"total_{kind}": len(config),
        }

    def versions(self):
        return {f"{kind}_version": digest(config) for kind, config in self.running.items()}

    def allow(self, request):
        """Takes the token bare or behind Bearer, in constant time."""
        if not self.options.token:
            return
        given = request.headers.get("authorization", "")
        if not given:
            raise HTTPException(401, "Authentication required")
        if given.startswith("Bearer "):
            given = given[len("Bearer "):]
        if not hmac.compare_digest(given.strip().encode(), self.options.token.encode()):
            raise HTTPException(401, "Invalid authentication token")

    def answer(self, error=None, details=None, version=None):
        body = {
            "status": "error" if error else "success", "error": error, "details": details,
            "timestamp": now(), "instance_id": self.options.id, "version": version,
        }
        return JSONResponse(body, 400 if error else 200)


def application(service):
    app = FastAPI(openapi_url=None)
    app.state.service = service
    options = service.options

    async def document(request):
        try:
            body = await request.json()
        except ValueError:
            return None
        return body if isinstance(body, dict) else None

    @app.post("/admin/config-update")
    async def config_update(request: Request):
        service.allow(request)
        body = await document(request)
        if body is None:
            return service.answer("the body is not a JSON object")
        kind, version = body.get("type"), body.get("version")
        if not isinstance(kind, str) or kind not in NEEDS or "config" not in body:
            return service.answer(f"type must be one of {', '.join(NEEDS)}, with a config", version=version)
        async with service.lock:
            service.write(kind, body["config"])
            try:
                return service.answer(details=service.load(kind), version=version)
            except Refused as e:
                return service.answer(str(e), {"type": kind}, version)

    @app.post("/admin/reload-config")
    async def reload_config(request: Request):
        service.allow(request)
        body = await document(request) or {}
        details = {}
        async with service.lock:
            try:
                for kind in NEEDS:
                    if body.get("reload_" + kind, os.path.exists(service.path(kind))):
                        details.update(service.load(kind))
            except Refused as e:
                return service.answer(str(e), details)
        return service.answer(details=details)

    @app.get("/admin/instance-info")
    async def instance_info(request: Request):
        if not options.open_info:
            service.allow(request)
        return {
            "instance_id": options.id, "hostname": socket.gethostname(), "version": VERSION,
            "uptime_seconds": round(time.monotonic() - service.started, 3),
            "webhooks_count": len(service.running["webhooks"]),
            "connections_count": len(service.running["connections"]),
            "config_version": digest(service.running), "last_reload": service.last_reload,
        }

    @app.get("/admin/config-version")
    async def config_version(request: Request):
        if not options.open_info:
            service.allow(request)
        return {**service.versions(), "last_reload": service.last_reload}

    return app


def parse():
    p = argparse.ArgumentParser(description="A webhook service with admin endpoints.")
    p.add_argument("--dir", required=True, help="directory with webhooks.json and connections.json")
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=0, help="0 is a free one")
    p.add_argument("--id", required=True, help="instance_id of the answers")
    p.add_argument("--token", default="", help="none lets everybody in")
    p.add_argument("--open-info", action="store_true", help="instance-info and config-version need no token")
    p.add_argument("--busy", type=float, default=0.0, help="seconds of 'Reload already in progress' after a refusal")
    p.add_argument("--modules", type=lambda text: [m for m in text.split(",") if m], default=[],
                   help="names of the modules that are installed; without any, all are")
    return p.parse_args()


def end_with_input():
    sys.stdin.buffer.read()  # nothing is ever written: it returns when the other end is closed
    os._exit(0)


async def serve(options):
    service = Service(options)
    for kind in NEEDS:
        try:
            service.load(kind)
        except Refused as e:
            print(f"{kind}: {e}", file=sys.stderr)
    service.busy_until = 0.0
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((options.host, options.port))
    host, port = listener.getsockname()
    print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
    config = uvicorn.Config(application(service), log_level="warning", access_log=False, lifespan="off")
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    threading.Thread(target=end_with_input, daemon=True).start()
    asyncio.run(serve(parse()))
