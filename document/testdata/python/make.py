"""Makes vectors.json: texts with what CPython's json and hashlib give for them.

Run it with CPython 3.11 or newer: python3 make.py > vectors.json
"""
import hashlib
import json
import random
import struct

rnd = random.Random(20)


def string():
    pools = ["abcXYZ", " /\\\"'<>&", "\b\f\n\r\t\x00\x1f\x7f", "éßñ\u0080\u07ff", "\u2028\ud7ff\ue000\uffff", "\U0001f602\U0010ffff"]
    return "".join(rnd.choice(rnd.choice(pools)) for _ in range(rnd.randrange(6)))


def number():
    kind = rnd.randrange(6)
    if kind == 0:
        return str(rnd.randrange(-10**6, 10**6))
    if kind == 1:
        return str(rnd.randrange(-10**40, 10**40))
    if kind == 2:
        while True:
            f = struct.unpack(">d", rnd.randbytes(8))[0]
            if f == f and abs(f) != float("inf"):
                return repr(f)
    if kind == 3:
        return "%d.%de%+d" % (rnd.randrange(10), rnd.randrange(10**rnd.randrange(1, 18)), rnd.randrange(-30, 30))
    if kind == 4:
        return "%de%d" % (rnd.randrange(-99, 99), rnd.randrange(-8, 24))
    return rnd.choice(["0.0001", "0.00009999", "1e16", "9999999999999998.0", "1e15", "-0", "-0.0", "0e9", "1E5", "2.50"])


def value(depth):
    kind = rnd.randrange(8 if depth else 4)
    if kind < 2:
        return number()
    if kind == 2:
        return json.dumps(string(), ensure_ascii=rnd.random() < 0.5)
    if kind == 3:
        return rnd.choice(["true", "false", "null"])
    if kind < 6:
        return "[" + ", ".join(value(depth - 1) for _ in range(rnd.randrange(4))) + "]"
    return members(depth)


def members(depth):
    names = [json.dumps(string(), ensure_ascii=rnd.random() < 0.5) for _ in range(rnd.randrange(6))]
    return "{" + ",".join(name + ":" + value(depth - 1) for name in names) + "}"


vectors = []
for _ in range(120):
    text = members(3)
    dump = json.dumps(json.loads(text), sort_keys=True)
    vectors.append({"input": text, "canonical": dump, "version16": hashlib.sha256(dump.encode()).hexdigest()[:16]})
print(json.dumps(vectors, indent=0))
