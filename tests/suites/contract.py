"""contract.py PORT WAY -- the role contract with python3-socketio: every event.

WAY is polling, websocket, upgrade (the asyncio client over each transport and
across an upgrade) or threads (the client with threads). Prints TAP; the first
failure of a scene is told and the next one goes on.

SPDX-License-Identifier: MIT
"""
import asyncio
import sys
import traceback

import aiohttp
import engineio.payload
import socketio

PATIENCE = 15
# This client takes no more than 16 packets from one poll, unless told so.
engineio.payload.Payload.max_decode_packets = 1000


class Visitor:
    """A client, what it has got, and waiting for more of it."""

    def __init__(self, url, transports):
        self.url = url
        self.transports = transports
        self.http = aiohttp.ClientSession()
        self.client = socketio.AsyncClient(reconnection=False,
                                           http_session=self.http)
        self.patience = PATIENCE  # of connecting; a refusal uses it up
        self.got = {}
        self.came = asyncio.Condition()
        self.on = self.client.on

    def listen(self, event, namespace="/"):
        async def note(*args):
            async with self.came:
                self.got.setdefault((namespace, event), []).append(list(args))
                self.came.notify_all()

        self.client.on(event, note, namespace=namespace)

    async def connect(self, namespace="/", query="", auth=None, headers={}):
        for event in ("welcome", "echo", "news", "burst", "burst-done",
                      "binary", "kinds", "ask-result", "hello", "gone",
                      "disconnect", "connect_error"):
            self.listen(event, namespace)
        await self.client.connect(
            self.url + query, namespaces=[namespace], auth=auth,
            headers=headers, transports=self.transports, wait_timeout=self.patience)
        self.namespace = namespace
        if namespace == "/":
            await self.next("welcome")
        return self

    @property
    def sid(self):
        return self.client.get_sid(self.namespace)

    async def emit(self, event, *args):
        await self.client.emit(event, args, namespace=self.namespace)

    async def ask(self, event, *args):
        """The acknowledgement: None, its value, or its values as a tuple."""
        return await self.client.call(event, args, namespace=self.namespace,
                                      timeout=PATIENCE)

    async def next(self, event):
        """The arguments of the oldest such event that is not taken yet."""
        def there():
            return self.got.get((self.namespace, event))

        async with self.came:
            await asyncio.wait_for(self.came.wait_for(there), PATIENCE)
            return self.got[(self.namespace, event)].pop(0)

    def take(self, event):
        return self.got.pop((self.namespace, event), [])

    async def leave(self):
        if self.client.connected:
            await self.client.disconnect()
        await self.http.close()


class Scenes:
    """One method per scene; `self.open()` is a connected visitor."""

    def __init__(self, url, transports):
        self.url = url
        self.transports = transports
        self.visitors = []

    def make(self):
        self.visitors.append(Visitor(self.url, self.transports))
        return self.visitors[-1]

    async def open(self, *args, **options):
        return await self.make().connect(*args, **options)

    async def close(self):
        for visitor in self.visitors:
            await visitor.leave()
        self.visitors = []

    async def three(self):
        a, b, c = [await self.open() for _ in range(3)]
        await a.ask("join", "pair")
        await b.ask("join", ["pair", "trio"])
        return a, b, c

    async def reached(self, everybody, sender, *args):
        await sender.emit(*args)
        await sender.ask("ack")
        for visitor in everybody:
            await visitor.ask("ack")
        return "".join(str(i) * len(visitor.take("news"))
                       for i, visitor in enumerate(everybody))

    async def echo_and_ack(self):
        v = await self.open()
        args = [1, "é€😀", {"a": [None, True]}, [], -1.5]
        await v.emit("echo", *args)
        assert await v.next("echo") == args
        assert await v.ask("ack", *args) == tuple(args)
        await v.emit("echo", b"\1", {"b": [b"\2\3"]})
        assert await v.next("echo") == [b"\1", {"b": [b"\2\3"]}]
        assert await v.ask("ack", b"\t") == b"\t"

    async def ack_never_and_ack_late(self):
        v = await self.open()
        order = []
        await v.client.emit("ack-never", callback=lambda: order.append("never"))
        late = asyncio.ensure_future(v.ask("ack-late", 150, "late"))
        assert await v.ask("ack-late", 0, {"b": b"early"}) == {"b": b"early"}
        assert not late.done()
        assert await late == "late"
        assert order == []

    async def ask(self):
        v = await self.open()
        answers = [lambda *args: list(args), lambda *args: b"\7"]
        v.on("question", lambda *args: answers.pop(0)(*args))
        await v.emit("ask", 3000, 1, "two")
        assert await v.next("ask-result") == [{"ok": True, "answer": [1, "two"]}]
        await v.emit("ask", 3000)
        assert await v.next("ask-result") == [{"ok": True, "answer": b"\7"}]

        async def never(*args):
            await asyncio.sleep(1)

        v.on("question", never)
        await v.emit("ask", 50)
        assert await v.next("ask-result") == [
            {"ok": False, "error": "operation has timed out"}]

    async def rooms(self):
        v = await self.open()
        assert await v.ask("rooms") == [v.sid]
        assert await v.ask("join", "b") == sorted(["b", v.sid])
        assert await v.ask("join", ["c", "a"]) == sorted(["a", "b", "c", v.sid])
        assert await v.ask("leave", "b") == sorted(["a", "c", v.sid])

    async def reaching(self):
        a, b, c = everybody = await self.three()
        for sender, args, wanted in [
                (a, ("to", "pair", "news", 1), "1"),
                (b, ("to", ["pair", "trio"], "news", 1), "0"),
                (a, ("in", "pair", "news", 1), "01"),
                (a, ("except", "pair", "news", 1), "2"),
                (b, ("broadcast", "news", 1), "02"),
                (b, ("all", "news", 1), "012")]:
            got = await self.reached(everybody, sender, *args)
            assert got == wanted, (args, got)
        await a.emit("broadcast", "news", {"b": b"\4"}, "t")
        assert await c.next("news") == [{"b": b"\4"}, "t"]

    async def all_volatile(self):
        a, b = await self.open(), await self.open()
        while not (a.got.get(("/", "news")) and b.got.get(("/", "news"))):
            await a.emit("all-volatile", "news", 7)
            await asyncio.sleep(0.03)
        assert (await a.next("news"), await b.next("news")) == ([7], [7])

    async def ask_room(self):
        a, b, c = await self.three()
        a.on("question", lambda x: x + " b")
        b.on("question", lambda x: x + " a")
        assert await c.ask("ask-room", "pair", 3000, "question", "q") == {
            "late": False, "answers": ["q a", "q b"]}
        d = await self.open()
        await d.ask("join", "pair")

        async def never(x):
            await asyncio.sleep(1)

        d.on("question", never)
        assert await c.ask("ask-room", "pair", 100, "question", "q") == {
            "late": True, "answers": ["q a", "q b"]}

    async def members_and_move(self):
        a, b, c = await self.three()
        source, target = "from " + c.sid, "to " + c.sid
        await a.ask("join", source)
        await b.ask("join", source)
        assert await c.ask("members", source) == sorted([a.sid, b.sid])
        await c.ask("move", source, target)
        assert await c.ask("members", source) == []
        assert await c.ask("members", target) == sorted([a.sid, b.sid])

    async def kick_room(self):
        a, b, c = await self.three()
        await c.emit("kick-room", "pair", False)
        await a.next("disconnect")
        await b.next("disconnect")
        d = await self.open()
        await d.ask("join", "pair")
        await c.emit("kick-room", "pair", True)
        await d.next("disconnect")

    async def bursts(self):
        v = await self.open()
        await v.emit("burst", 200, 1000)
        assert await v.next("burst-done") == [200]
        got = sorted(v.take("burst"))  # its handlers run as tasks
        assert got == [[i, "x" * 1000] for i in range(200)]
        await v.emit("volatile-burst", 50, 10)
        assert await v.next("burst-done") == [50]
        assert len(v.take("burst")) < 50

    async def binary(self):
        v = await self.open()
        await v.emit("binary", 3, 1000)
        assert await v.next("binary") == [
            {"list": [bytes([i]) * 1000 for i in range(3)], "last": 3}]

    async def kinds(self):
        v = await self.open()
        await v.emit("kinds")
        assert await v.next("kinds") == [
            None, True, False, 0, -1.5, 9007199254740991, "",
            "é€😀\0\u2028\"\\", [], {}, [[1], {"a": [None]}]]

    async def whoami_and_remember(self):
        v = await self.open(query="?key=a%3D%26b&x=1+2", auth={"name": "é"},
                            headers={"X-Test": "tested"})
        await v.ask("remember", "k", {"v": [1]})
        me = await v.ask("whoami")
        query = me.pop("query")
        assert (query["key"], query["x"], query["EIO"]) == ("a=&b", "1 2", "4")
        assert me == {
            "id": v.sid, "transport": v.client.transport(), "protocol": 4,
            "auth": {"name": "é"}, "header": "tested", "secure": False,
            "recovered": False, "data": {"k": {"v": [1]}}}

    async def drop(self):
        v = await self.open()
        await v.emit("drop")
        await v.next("disconnect")

    async def namespaces(self):
        v = await self.open()
        assert await v.ask("namespaces") == ["/", "/admin", "/watch"]

    async def bye_and_gone(self):
        watcher = await self.open("/watch")
        for close in (False, True):
            v = await self.open()
            sid = v.sid
            await v.emit("bye", close)
            await v.next("disconnect")
            while True:
                gone, reason = await watcher.next("gone")
                if gone == sid:
                    break
            assert reason == "server namespace disconnect"

    async def watch_and_admin(self):
        v = await self.open("/watch")
        await v.emit("echo", 1)
        assert await v.next("echo") == [1]
        admin = await self.open("/admin", auth={"token": "secret"})
        assert await admin.next("hello") == [{"id": admin.sid}]
        assert await admin.ask("ack", 2) == 2
        await admin.emit("bye", False)
        await admin.next("disconnect")

    async def refused(self):
        for namespace, query, why in [
                ("/", "?fail=1",
                 {"message": "refused", "data": {"why": "query"}}),
                ("/admin", "", {"message": "not authorized",
                                "data": {"code": "E_AUTH", "retry": False}}),
                ("/nowhere", "", {"message": "Invalid namespace"})]:
            v = self.make()
            v.patience = 0.3
            try:
                await v.connect(namespace, query=query)
                raise AssertionError("let in")
            except socketio.exceptions.ConnectionError:
                pass
            v.namespace = namespace
            assert await v.next("connect_error") == [why]
        try:
            await self.open(query="?deny=1")
            raise AssertionError("let in")
        except socketio.exceptions.ConnectionError:
            pass


async def play(url, way):
    transports = ["polling", "websocket"] if way == "upgrade" else [way]
    failed = 0
    names = [name for name, f in vars(Scenes).items()
             if asyncio.iscoroutinefunction(f) and
             name not in ("open", "close", "three", "reached")]
    for name in names:
        scenes = Scenes(url, transports)
        try:
            await getattr(scenes, name)()
            print("ok -", name)
        except Exception:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print("not ok -", name)
        await scenes.close()
    return failed


def play_threads(url):
    """The other client of the package: requests and websocket-client."""
    for transports in (["polling"], ["websocket"], ["polling", "websocket"]):
        client = socketio.Client(reconnection=False)
        client.connect(url, transports=transports, wait_timeout=PATIENCE)
        args = (1, "é€😀", {"b": b"\1\2"})
        assert client.call("ack", args, timeout=PATIENCE) == args
        assert client.call("whoami", timeout=PATIENCE)["protocol"] == 4
        client.disconnect()
        print("ok -", "+".join(transports))
    return 0


if __name__ == "__main__":
    url = "http://127.0.0.1:" + sys.argv[1]
    if sys.argv[2] == "threads":
        sys.exit(play_threads(url))
    sys.exit(asyncio.run(play(url, sys.argv[2])) > 0)
