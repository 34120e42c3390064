"""The floor: a plain coordinator that pushes one document to many instances.

It is what a person writes first: a client per request, a time-out of ten seconds, a gather over all.
Only the TLS context is shared, because making one takes longer than all the rest.

Its first line of input is {"targets": [URL, ...], "token": ...}; each further line,
{"value": document}, is one push. It answers {"event": "push", "took": nanoseconds, "count": successes,
"reasons": {reason: how many}}.
"""

import asyncio
import json
import ssl
import sys
import time

try:
    import httpx
except ImportError:
    sys.exit("missing: Python's httpx; on Debian: sudo apt-get install python3-httpx")


async def push(context, url, token, document, version):
    async with httpx.AsyncClient(verify=context, timeout=10.0) as client:
        try:
            response = await client.post(
                url + "/admin/config-update",
                json={"type": "webhooks", "config": document, "version": version, "source": "coordinator"},
                headers={"Authorization": f"Bearer {token}"},
            )
        except httpx.HTTPError as e:
            return type(e).__name__
    if response.status_code != 200 or response.json().get("status") != "success":
        return f"{response.status_code} {response.text[:200]}"
    return None


async def push_all(context, setup, document, version):
    began = time.perf_counter()
    results = await asyncio.gather(*(push(context, url, setup["token"], document, version) for url in setup["targets"]))
    took = time.perf_counter() - began
    reasons = {}
    for reason in filter(None, results):
        reasons[reason] = reasons.get(reason, 0) + 1
    return {"event": "push", "took": int(took * 1e9), "count": results.count(None), "reasons": reasons}


def main():
    setup = json.loads(sys.stdin.readline())
    context = ssl.create_default_context()
    print(json.dumps({"event": "ready"}), flush=True)
    for number, line in enumerate(sys.stdin, 1):
        document = json.loads(json.loads(line)["value"])
        print(json.dumps(asyncio.run(push_all(context, setup, document, str(number)))), flush=True)


main()
