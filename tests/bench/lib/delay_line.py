"""A TCP proxy that delays bytes without limiting how many pass, and counts flights.

It stands for distance: every byte arrives a fixed time later, and the TCP
handshake costs one round trip before the first byte may leave. A *flight* is a
burst of client bytes for whose answer the client waits: what it sends last and
then closes behind (TLS's close_notify, a LOGOUT that nobody waits for) is none.
Knows nothing of IMAP or TLS.
"""

import collections
import selectors
import socket
import threading
import time

CHUNK = 1 << 18
BACKLOG = 1 << 26  # bytes on the way in one direction: far above rate x delay


class _Lane:
    """One direction of one connection."""

    def __init__(self):
        self.source = self.target = None
        self.queue = collections.deque()  # (due, bytes), None at the end of the stream
        self.queued = 0
        self.open = True

    def take(self, due):
        """Reads what is there; it may leave at `due`."""
        try:
            data = self.source.recv(CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        self.open = bool(data)
        self.queue.append((due, data or None))
        self.queued += len(data)
        return bool(data)

    def deliver(self, now):
        """Sends what is due; true when bytes left."""
        sent_any = False
        while self.queue and self.queue[0][0] <= now:
            due, data = self.queue[0]
            try:
                if data is None:
                    self.target.shutdown(socket.SHUT_WR)
                    self.queue.popleft()
                    continue
                sent = self.target.send(data)
            except BlockingIOError:
                return sent_any
            except OSError:
                self.queue.clear()
                self.open = False
                return sent_any
            sent_any = True
            self.queued -= sent
            self.queue[0] = (due, data[sent:])
            if sent == len(data):
                self.queue.popleft()
        return sent_any

    @property
    def finished(self):
        return not self.open and not self.queue


class _Connection:
    def __init__(self, client, born):
        self.client, self.server, self.born = client, None, born
        self.up, self.down = _Lane(), _Lane()
        self.up.source = self.down.target = client
        self.waits = False  # for the answer to what the client sent last


class DelayLine(threading.Thread):
    """Listens on `port`; everything goes to `target_port` with `one_way` seconds of delay."""

    def __init__(self, target_port, one_way):
        super().__init__(daemon=True)
        self.target_port, self.one_way = target_port, one_way
        self.flights = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._wake, self._waker = socket.socketpair()
        self._connections = []
        self._running = True

    def stop(self):
        """Closes everything and waits for the thread."""
        self._running = False
        self._waker.send(b"x")
        self.join()

    def run(self):
        # select() takes microseconds where epoll rounds up to milliseconds.
        while self._running:
            with selectors.SelectSelector() as selector:
                timeout = self._register(selector)
                ready = {(key.fileobj, event) for key, mask in selector.select(timeout) for event in (1, 2) if mask & event}
            if (self._listener, 1) in ready:
                self._accept()
            for connection in self._connections:
                self._step(connection, ready)
            self._connections = [c for c in self._connections if not self._close_finished(c)]
        for connection in self._connections:
            for end in (connection.client, connection.server):
                if end:
                    end.close()
        for end in (self._listener, self._wake, self._waker):
            end.close()

    def _register(self, selector):
        """Tells the selector what matters now; returns how long it may wait."""
        now = time.monotonic()
        interest = {self._listener: 1, self._wake: 1}
        moments = []
        for connection in self._connections:
            if connection.server is None:
                moments.append(connection.born + 3 * self.one_way)
            for lane in (connection.up, connection.down):
                if lane.source and lane.open and lane.queued < BACKLOG:
                    interest[lane.source] = interest.get(lane.source, 0) | selectors.EVENT_READ
                if lane.queue and lane.target:
                    if lane.queue[0][0] <= now:
                        interest[lane.target] = interest.get(lane.target, 0) | selectors.EVENT_WRITE
                    else:
                        moments.append(lane.queue[0][0])
        for end, mask in interest.items():
            selector.register(end, mask)
        return max(0.0, min(moments) - now) if moments else None

    def _accept(self):
        client, _ = self._listener.accept()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.append(_Connection(client, time.monotonic()))

    def _step(self, connection, ready):
        now = time.monotonic()
        if connection.server is None and now >= connection.born + 3 * self.one_way:
            self._open(connection)
        # A client byte cannot leave before the handshake's round trip is over.
        departure = max(now, connection.born + 2 * self.one_way)
        if (connection.client, 1) in ready and connection.up.take(departure + self.one_way):
            connection.waits = True
        if connection.server is None:
            return
        if (connection.server, 1) in ready:
            connection.down.take(now + self.one_way)
        connection.up.deliver(now)
        if connection.down.deliver(now):
            self.flights += connection.waits and connection.up.open
            connection.waits = False

    def _open(self, connection):
        server = socket.create_connection(("127.0.0.1", self.target_port))
        server.setblocking(False)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.server = server
        connection.up.target = connection.down.source = server

    @staticmethod
    def _close_finished(connection):
        finished = connection.server and connection.up.finished and connection.down.finished
        if finished:
            connection.client.close()
            connection.server.close()
        return finished


def verify(one_way, pings=20, bulk=64 << 20):
    """Measures a delay line against an echo: (median ping in seconds, bulk bytes per second)."""
    with socket.create_server(("127.0.0.1", 0)) as echo:
        threading.Thread(target=_echo, args=(echo, pings, bulk), daemon=True).start()
        line = DelayLine(echo.getsockname()[1], one_way)
        line.start()
        try:
            with socket.create_connection(("127.0.0.1", line.port)) as client:
                times = sorted(_ping(client) for _ in range(pings))
                begin = time.monotonic()
                client.sendall(b"go")
                left, view = bulk, bytearray(CHUNK)
                while left:
                    left -= client.recv_into(view)
                seconds = time.monotonic() - begin
        finally:
            line.stop()
    return times[pings // 2], bulk / (seconds - 2 * one_way)


def _ping(client):
    begin = time.monotonic()
    client.sendall(b"p")
    client.recv(1)
    return time.monotonic() - begin


def _echo(listener, pings, bulk):
    connection, _ = listener.accept()
    with connection:
        for _ in range(pings):
            connection.sendall(connection.recv(1))
        connection.recv(2)
        block = bytes(CHUNK)
        for _ in range(bulk // CHUNK):
            connection.sendall(block)
        connection.recv(1)
