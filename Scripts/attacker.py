#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One attacker of attacks.py, a process of its own in a network namespace, and two who only look.

Packets are made here from the first byte of the Ethernet frame on, so that any address can be their source;
docs/protocol.md has their format.
"""

import argparse
import json
import random
import select
import signal
import socket
import struct
import sys
import time

SERVER, CLIENT, HOSTILE, VICTIM = "10.79.0.2", "10.79.0.1", "10.79.0.9", "10.79.0.30"
LINK = {SERVER: 2, CLIENT: 1, HOSTILE: 9, VICTIM: 3}
DATA, GRANT, RESEND, UNKNOWN, BUSY, CUTOFFS, NEED_ACK, ACK = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x17, 0x18
MEGABYTE = 1_000_000
CLIENT_PORT = 40_000  # a Homa port of clients


# ---- Packets


def common(kind, sender_id, source, destination, version=1, marks=0, tag=0):
    """The 28 bytes of every packet (docs/protocol.md, 3.1)."""
    high, low = (tag >> 32, tag & 0xFFFF_FFFF) if version else (0, 0)
    return struct.pack(
        ">HHIBBBBBBIHQ",
        source,
        destination,
        high,
        version,
        marks if version else 0,
        0,
        kind,
        0xE0 if kind == DATA else 0x50,
        6,
        low,
        0xB97D,
        sender_id,
    )


def data(
    sender_id,
    source,
    destination,
    payload,
    length=None,
    incoming=None,
    offset=0,
    distance=0,
    proof=0,
    again=0,
    version=1,
    tag=0,
):
    length = len(payload) if length is None else length
    incoming = offset + len(payload) if incoming is None else incoming
    header = common(DATA, sender_id, source, destination, version, 64 if proof else 0, tag)
    return (
        header
        + struct.pack(
            ">IIIIHHBBHI",
            length,
            incoming,
            proof,
            1 if proof else 0,
            0,
            0,
            again,
            0,
            distance if version else 0,
            offset,
        )
        + payload
    )


def grant(sender_id, source, destination, offset, **extensions):
    return common(GRANT, sender_id, source, destination, **extensions) + struct.pack(">IB", offset, 0)


def resend(sender_id, source, destination, offset=0, length=-1, **extensions):
    return common(RESEND, sender_id, source, destination, **extensions) + struct.pack(">IiB", offset, length, 7)


def cutoffs(sender_id, source, destination, table, number, **extensions):
    return common(CUTOFFS, sender_id, source, destination, **extensions) + struct.pack(">8IH", *table, number)


def ack(sender_id, source, destination, **extensions):
    return common(ACK, sender_id, source, destination, **extensions) + bytes(52)


def wish(response):
    """A request of homa bench that asks for a response of so many bytes."""
    return struct.pack("<QII", random.getrandbits(64), 16, response)


def checksum(header):
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def ip(source, destination, protocol, body):
    header = struct.pack(
        ">BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(body),
        0,
        0x4000,
        64,
        protocol,
        0,
        socket.inet_aton(source),
        socket.inet_aton(destination),
    )
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + body


def udp(source, source_port, destination, port, body):
    # Without a checksum, as IPv4 permits.
    return ip(source, destination, 17, struct.pack(">HHHH", source_port, port, 8 + len(body), 0) + body)


def unreachable(router, to, code, mtu, quote):
    """ICMP destination unreachable; code 4 is fragmentation needed."""
    body = struct.pack(">BBHHH", 3, code, 0, 0, mtu) + quote
    if len(body) % 2:
        body += b"\0"
    return ip(router, to, 1, body[:2] + struct.pack(">H", checksum(body)) + body[4:])


def frame(link, packet):
    return bytes((2, 0, 0, 0, 0, link, 2, 0, 0, 0, 0, 9, 8, 0)) + packet


def packets_of(datagram):
    """The Homa packets of a datagram, which may be a bundle (5.7)."""
    if datagram[:4] != b"\0\0\0\1":
        return [datagram]
    found, place = [], 4
    while place + 2 <= len(datagram):
        length = struct.unpack_from(">H", datagram, place)[0]
        if length == 0:
            break
        found.append(datagram[place + 2 : place + 2 + length])
        place += 2 + length
    return found


# ---- The attacker


class Attacker:
    """Sends what its plan says until it is told to stop, and then how much that was."""

    def __init__(self, options):
        self.options = options
        self.port = options.port
        # A run that is to be undisturbed has the same packets go to somebody else.
        self.link = LINK[VICTIM] if options.aside else LINK[SERVER]
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind(("eth", 0))
        self.hears = None
        self.sent = self.sent_bytes = self.heard = 0
        self.next_id = int(time.time() * 1e6) * 4096 & ~1
        self.identity = random.getrandbits(64)
        self.tokens = {}
        self.answer = None

    def listen(self):
        """Hears what comes for the attacker's own address, and for every port of it."""
        self.hears = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.hears.bind(("eth", 0x0800))
        self.hears.setblocking(False)

    def new_id(self):
        self.next_id += 2
        return self.next_id

    def send(self, packet, link=None):
        self.socket.send(frame(self.link if link is None else link, packet))
        self.sent += 1
        self.sent_bytes += len(packet)

    def to_server(self, source, body, source_port=5000):
        self.send(udp(source, source_port, SERVER, self.port, body))

    def own(self, body, source_port=5000):
        self.to_server(HOSTILE, body, source_port)

    def request(self, sender_id, payload, source_port=5000, **fields):
        """DATA of a request of the attacker's own, with the token if it has one."""
        return data(
            sender_id,
            CLIENT_PORT,
            self.port,
            payload,
            tag=self.identity,
            proof=self.tokens.get(source_port, 0),
            **fields,
        )

    def hear(self):
        while True:
            try:
                packet = self.hears.recv(65536)
            except BlockingIOError:
                return
            if packet[6:12] == bytes((2, 0, 0, 0, 0, 9)) or len(packet) < 70 or packet[23] != 17:
                continue
            port = struct.unpack_from(">H", packet, 36)[0]
            for homa in packets_of(packet[42:]):
                if len(homa) < 28:
                    continue
                self.heard += 1
                sender_id = struct.unpack_from(">Q", homa, 20)[0]
                token = struct.unpack_from(">I", homa, 4)[0]
                if homa[8] and sender_id & 1 and token:
                    self.tokens[port] = token
                if self.answer:
                    self.answer(homa[11], sender_id ^ 1, port, homa)

    def wait(self, until):
        while True:
            left = until - time.monotonic()
            if left <= 0:
                return
            if self.hears is None:
                time.sleep(left)
            elif select.select([self.hears], [], [], left)[0]:
                self.hear()

    def run(self, interval, step):
        print("ready", flush=True)
        end = time.monotonic() + self.options.duration
        due = time.monotonic()
        count = 0
        while due < end and not stopped:
            step(count)
            count += 1
            due = max(due + interval, time.monotonic() - 0.1)
            if self.hears is not None:
                self.hear()
            self.wait(due)

    def become_known(self):
        """Finishes two requests, the second with the token: the server knows that somebody is at the address."""
        self.listen()
        if self.options.aside:
            return
        waiting = {}

        def answer(kind, request_id, port, homa):
            if kind == DATA:
                waiting.pop(request_id, None)
                self.own(ack(request_id, CLIENT_PORT, self.port, tag=self.identity))

        self.answer = answer
        for _ in range(2):
            request_id = self.new_id()
            waiting[request_id] = True
            for _ in range(20):
                self.own(self.request(request_id, b"x"))
                self.wait(time.monotonic() + 0.05)
                if not waiting:
                    break
        if waiting or not self.tokens:
            sys.exit("attacks: the server did not answer the attacker's first requests")
        self.answer = None

    # -- One packet that would shut a client out

    def shut_out(self):
        """First packets in the client's name, of an identifier above all, before which everything is finished."""
        top = 2**64 - 2
        forms = (
            [
                dict(version=1, tag=random.getrandbits(64)),
                dict(version=1, tag=0),
                dict(version=0),
            ]
            if not self.options.identity
            else [dict(version=2, tag=self.options.identity)]
        )

        def step(count):
            if count < len(forms):
                body = data(
                    top, self.options.client_homa_port or CLIENT_PORT, self.port, b"x", distance=1, **forms[count]
                )
                self.to_server(CLIENT, body, self.options.client_port)

        self.run(0.3, step)

    # -- Reflection

    def reflect(self):
        """Requests in the victim's name, or from the attacker's own address to show that they would be answered."""
        options = self.options
        own = options.own
        if own:
            self.become_known()
        source = HOSTILE if own else VICTIM
        version = options.version
        previous = 0

        def fields():
            return dict(version=version, tag=self.identity) if version else dict(version=0)

        def request(request_id):
            payload = b"x" if options.response == 1 else wish(options.response)
            length, payload = (MEGABYTE, b"x") if options.first_only else (len(payload), payload)
            proof = self.tokens.get(5000, 0)
            return data(
                request_id,
                CLIENT_PORT,
                self.port,
                payload,
                length=length,
                incoming=min(length, 60_000) if options.first_only else None,
                proof=proof,
                **fields(),
            )

        def step(count):
            nonlocal previous
            if options.bundle:
                packets = [
                    (
                        common(NEED_ACK, self.new_id() | 1, self.port, CLIENT_PORT, **fields())
                        if options.about_nothing
                        else request(self.new_id())
                    )
                    for _ in range(options.bundle)
                ]
                body = b"\0\0\0\1" + b"".join(struct.pack(">H", len(one)) + one for one in packets)
                self.to_server(source, body)
                return
            if options.about_nothing:
                unknown = self.new_id()
                self.to_server(source, common(NEED_ACK, unknown | 1, self.port, CLIENT_PORT, **fields()))
                self.to_server(source, resend(unknown, CLIENT_PORT, self.port, **fields()))
                return
            request_id = self.new_id()
            self.to_server(source, request(request_id))
            if options.grants and previous:
                self.to_server(source, grant(previous, CLIENT_PORT, self.port, options.response, **fields()))
                self.to_server(source, resend(previous, CLIENT_PORT, self.port, 0, options.response, **fields()))
            previous = request_id

        self.run(1 / options.rate, step)

    # -- Starvation

    def starve(self):
        """Messages of which next to nothing comes, in the name of a stranger or of a host that is known."""
        options = self.options
        if options.own:
            self.become_known()
        send = self.own if options.own else lambda body: self.to_server(VICTIM, body)
        ids = [self.new_id() for _ in range(options.messages)]
        incoming = min(options.incoming, options.length)

        def packet(request_id, offset=0):
            return self.request(
                request_id, b"x", length=options.length, incoming=max(incoming, offset + 1), offset=offset
            )

        def answer(kind, request_id, port, homa):
            if kind in (RESEND, UNKNOWN) and request_id in ids:
                send(packet(request_id))

        if options.answering:
            self.answer = answer

        def step(count):
            for request_id in ids:
                if options.trickle:
                    send(packet(request_id, count % options.length))
                elif not options.answering or count == 0:
                    send(packet(request_id))

        self.run(options.interval, step)

    # -- New clients

    def ports(self):
        """Requests of a byte, each from another port of a host that answers as it should, or from nobody's address."""
        options = self.options
        if options.own:
            self.listen()
            pending, again = {}, set()

            def answer(kind, request_id, port, homa):
                if kind == DATA or kind == NEED_ACK:
                    self.own(ack(request_id, CLIENT_PORT, self.port, tag=self.identity), port)
                    if pending.pop(port, None) and options.twice and port not in again:
                        again.add(port)
                        pending[port] = self.new_id()
                        self.own(self.request(pending[port], b"x", port), port)
                elif kind in (RESEND, UNKNOWN) and port in pending:
                    self.own(self.request(pending[port], b"x", port, again=1), port)

            self.answer = answer

            def step(count):
                port = 1024 + count % 60_000
                pending[port] = self.new_id()
                # One life for each port, as of so many clients.
                self.identity = random.getrandbits(64) if options.lives else self.identity
                self.own(self.request(pending[port], b"x", port), port)

        else:

            def step(count):
                source = f"10.{80 + count % 100}.{random.randrange(256)}.{random.randrange(1, 255)}"
                body = data(
                    self.new_id(),
                    CLIENT_PORT,
                    self.port,
                    b"x",
                    length=MEGABYTE if options.first_only else 1,
                    tag=random.getrandbits(64),
                )
                self.to_server(source, body, random.randrange(1024, 65_536))

        self.run(1 / options.rate, step)

    # -- Blind forgeries

    def forge(self):
        """What somebody sends to both ends in the name of the other who sees nothing, but knows the addresses."""
        options = self.options

        def both(kind_to_server, kind_to_client):
            client_port = options.client_port or random.randrange(32_768, 61_000)
            self.send(udp(CLIENT, client_port, SERVER, self.port, kind_to_server))
            self.send(
                udp(SERVER, self.port, CLIENT, client_port, kind_to_client),
                self.link if options.aside else LINK[CLIENT],
            )

        def fields():
            return dict(version=0) if random.random() < 0.5 else dict(version=2, tag=random.getrandbits(64))

        def about(from_client, kind):
            homa_port = random.randrange(32_768, 65_536)
            identifier = self.new_id() if from_client else self.new_id() | 1
            ends = (homa_port, self.port) if from_client else (self.port, homa_port)
            extensions = fields()
            if kind == "cutoffs":
                return cutoffs(identifier, *ends, [1, 0, 0, 0, 0, 0, 0, 0], random.randrange(1, 65_536), **extensions)
            if kind == DATA:
                # To the server it would be a request.
                return data(identifier | 1, *ends, b"x", length=1000, **extensions)
            if kind == GRANT:
                return grant(identifier, *ends, MEGABYTE, **extensions)
            if kind == RESEND:
                return resend(identifier, *ends, **extensions)
            if kind == ACK:
                return ack(identifier & ~1, *ends, **extensions)
            if kind == NEED_ACK:
                return common(NEED_ACK, identifier | 1, *ends, **extensions)
            return common(kind, identifier, *ends, **extensions)

        def quote(source, source_port, destination, port, from_client):
            homa_port = random.randrange(32_768, 65_536)
            ends = (homa_port, self.port) if from_client else (self.port, homa_port)
            identifier = self.new_id() | (0 if from_client else 1)
            body = data(identifier, *ends, bytes(1400), length=500_000, version=2, tag=random.getrandbits(64))
            return udp(source, source_port, destination, port, body)[: 28 + 100]

        kinds = [GRANT, RESEND, UNKNOWN, BUSY, NEED_ACK, ACK, DATA]

        def step(count):
            if options.what in ("icmp", "unreachable"):
                # Port, host and protocol unreachable, prohibited.
                code = 4 if options.what == "icmp" else (3, 1, 2, 13)[count % 4]
                client_port = options.client_port or random.randrange(32_768, 61_000)
                for source, source_port, destination, port, from_client in (
                    (SERVER, self.port, CLIENT, client_port, False),
                    (CLIENT, client_port, SERVER, self.port, True),
                ):
                    quoted = quote(source, source_port, destination, port, from_client)
                    self.send(
                        unreachable("10.79.0.77", source, code, 576 if code == 4 else 0, quoted),
                        self.link if options.aside else LINK[source],
                    )
            else:
                kind = "cutoffs" if options.what == "cutoffs" else kinds[count % len(kinds)]
                both(about(True, kind), about(False, kind))

        self.run(1 / options.rate, step)


stopped = False


def attack(options):
    def stop(*_):
        global stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    attacker = Attacker(options)
    getattr(attacker, options.name)()
    print(json.dumps(dict(packets=attacker.sent, bytes=attacker.sent_bytes, heard=attacker.heard)), flush=True)


def sizes(options):
    """The longest packets, in bytes of IP, that the client sends to a port, and hears from it; trains as cut later."""
    hears = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    hears.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR: how a train is to be cut
    hears.bind(("eth", 3))
    hears.settimeout(1)
    longest = [0, 0]
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        try:
            packet = hears.recv(80)
        except TimeoutError:
            break
        kind, segment = packet[1], struct.unpack_from("=H", packet, 4)[0]
        packet = packet[10:]
        if packet[12:14] != b"\x08\0" or packet[23] != 17:
            continue
        ports = struct.unpack_from(">HH", packet, 34)
        if options.port in ports:
            # Both kinds of trains of UDP have the length of each packet's payload.
            length = segment + 28 if kind else struct.unpack_from(">H", packet, 16)[0]
            side = 0 if ports[1] == options.port else 1
            longest[side] = max(longest[side], length)
    print(json.dumps(longest))


def look(options):
    """The UDP port, Homa port and identity of the client that sends to a port."""
    hears = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    hears.bind(("eth", 3))
    hears.settimeout(3)
    while True:
        packet = hears.recv(65536)
        if len(packet) < 70 or packet[12:14] != b"\x08\0" or packet[23] != 17:
            continue
        source_port, port = struct.unpack_from(">HH", packet, 34)
        homa = packets_of(packet[42:])
        if packet[26:30] == socket.inet_aton(CLIENT) and port == options.port and homa and len(homa[0]) >= 28:
            high, low = struct.unpack_from(">I", homa[0], 4)[0], struct.unpack_from(">I", homa[0], 14)[0]
            print(
                json.dumps(
                    dict(port=source_port, homa_port=struct.unpack_from(">H", homa[0])[0], identity=high << 32 | low)
                )
            )
            return


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", help="look, sizes, or what the attacker does")
    parser.add_argument("--what")
    for one, default in (
        ("port", 0),
        ("client-port", 0),
        ("client-homa-port", 0),
        ("identity", 0),
        ("response", 1),
        ("version", 1),
        ("bundle", 0),
        ("messages", 1),
        ("length", MEGABYTE),
        ("incoming", 60_000),
    ):
        parser.add_argument(f"--{one}", type=int, default=default)
    for one, default in (("duration", 3600), ("rate", 100), ("interval", 0.01)):
        parser.add_argument(f"--{one}", type=float, default=default)
    for one in ("aside", "own", "grants", "first-only", "about-nothing", "answering", "trickle", "lives", "twice"):
        parser.add_argument(f"--{one}", action="store_true")
    options = parser.parse_args()
    {"look": look, "sizes": sizes}.get(options.name, attack)(options)


if __name__ == "__main__":
    main()
