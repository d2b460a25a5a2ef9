#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is measured of the attacks, in the network namespaces that attacks.sh makes; attacker.py makes their packets."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from attacker import CLIENT, MEGABYTE, SERVER

ATTACKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attacker.py")


class CouldNotRun(Exception):
    pass


class Server:
    """homa serve on a port of its own; what it counted is known when it is stopped."""

    def __init__(self, lab, port):
        self.lab, self.port = lab, port
        self.output = open(f"{lab.options.logs}/serve-{port}.out", "w+")
        self.process = lab.start(
            lab.options.server,
            lab.options.homa,
            "serve",
            str(port),
            "--json",
            stdout=self.output,
            stderr=subprocess.DEVNULL,
        )
        self.started = time.monotonic()
        for _ in range(200):
            if os.path.getsize(self.output.name):
                return
            time.sleep(0.05)
        raise CouldNotRun(f"the server on port {port} did not start")

    def await_age(self, seconds):
        time.sleep(max(0, self.started + seconds - time.monotonic()))

    @property
    def is_alive(self):
        return self.process.poll() is None

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.output.seek(0)
        records = [json.loads(line) for line in self.output if line.startswith("{")]
        drops = {one["reason"]: int(one["value"]) for one in records if one["measure"] == "dropped_packets"}
        return {one["measure"]: one["value"] for one in records if one["measure"] != "dropped_packets"}, drops


class Lab:
    # A server asks unknown clients for a token for so long after it began (`memoryProbation`, 30 s), which hides
    # what attacks on a grown one do.
    GROWN = 31

    def __init__(self, options):
        self.options = options
        self.missed = []
        self.count = 0
        self.servers = {}
        self.environment = None

    # -- Processes

    def start(self, namespace, *command, **streams):
        return subprocess.Popen(["ip", "netns", "exec", namespace, *command], **streams)

    def bench(self, port, *arguments):
        """What homa bench says of a run, by measure."""
        run = self.start(
            self.options.client,
            self.options.homa,
            "bench",
            f"{SERVER}:{port}",
            *arguments,
            "--threshold",
            "errors<1000000000",
            "--json",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return run

    def figures(self, run):
        output = run.communicate()[0].decode()
        records = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        if not records:
            raise CouldNotRun("homa bench said nothing")
        if self.environment is None:
            self.environment = records[0]
        figures = {}
        for record in records:
            figures.setdefault(record["measure"], record["value"])
        return figures

    def attack(self, name, port, *arguments, aside=False, duration=3600):
        command = [sys.executable, ATTACKER, name, "--port", str(port), "--duration", str(duration)]
        if aside:
            command.append("--aside")
        process = self.start(self.options.attacker, *command, *map(str, arguments), stdout=subprocess.PIPE)
        if process.stdout.readline().strip() != b"ready":
            raise CouldNotRun(f"the attacker '{name}' did not start")
        return process

    def stop(self, process):
        process.terminate()
        return json.loads(process.communicate()[0].decode().splitlines()[-1])

    def look(self, port):
        process = self.start(
            self.options.client, sys.executable, ATTACKER, "look", "--port", str(port), stdout=subprocess.PIPE
        )
        output = process.communicate()[0].decode()
        if not output:
            raise CouldNotRun("no packet of the client was seen")
        return json.loads(output)

    def sizes(self, port):
        process = self.start(
            self.options.client, sys.executable, ATTACKER, "sizes", "--port", str(port), stdout=subprocess.PIPE
        )
        return json.loads(process.communicate()[0].decode())

    # -- Counters

    def counters(self):
        """Packets and bytes from the attacker's link, and bytes of the client by level, at the server."""
        output = subprocess.run(
            ["ip", "netns", "exec", self.options.server, "nft", "-j", "list", "counters"],
            capture_output=True,
            check=True,
        ).stdout
        return {one["counter"]["name"]: one["counter"] for one in json.loads(output)["nftables"] if "counter" in one}

    def link(self, namespace, direction):
        """Bytes of IP, and packets, that a link has carried."""
        output = subprocess.run(
            ["ip", "-n", namespace, "-s", "-j", "link", "show", "dev", "eth"], capture_output=True, check=True
        ).stdout
        counted = json.loads(output)[0]["stats64"][direction]
        return counted["bytes"] - 14 * counted["packets"], counted["packets"]

    def forget_paths(self):
        for namespace in (self.options.server, self.options.client):
            subprocess.run(["ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.route.flush=1"], check=True)
            subprocess.run(["ip", "-n", namespace, "route", "flush", "cache"], check=True)

    def path(self, namespace, to):
        """The longest packet that a system knows to arrive somewhere, in bytes."""
        words = subprocess.run(
            ["ip", "-n", namespace, "route", "get", to], capture_output=True, text=True
        ).stdout.split()
        return words[words.index("mtu") + 1] if "mtu" in words else "the link's"

    # -- Verdicts

    def judge(self, check, text, figure, limit, is_good, unit=""):
        self.count += 1
        print(f"{'ok    ' if is_good else 'FAILED'} {check}: {text} {figure}{unit}, wanted {limit}{unit}", flush=True)
        if not is_good:
            self.missed.append(f"{check}: {text} {figure}{unit}, wanted {limit}{unit}")

    def note(self, text):
        print(f"       {text}", flush=True)

    def arrived(self, check, sent, before):
        after = self.counters()["forged"]["packets"] - before
        self.note(f"{sent} packets of the attacker left, {after} came to the server's host")
        if sent == 0 or after < 0.99 * sent:
            raise CouldNotRun(f"{check}: the attack did not arrive")

    def counted(self, server):
        if not server.is_alive:
            self.judge("server", "is alive after the attack", "no", "yes", False)
            return
        totals, drops = server.stop()
        self.note(
            f"server: {int(totals.get('requests_delivered', 0))} requests delivered, "
            f"{int(totals.get('requests_evicted', 0))} evicted, dropped: "
            + (
                ", ".join(f"{count} {reason}" for reason, count in sorted(drops.items(), key=lambda one: -one[1]))
                or "none"
            )
        )

    # -- Kinds of checks

    def compare(self, check, server, *arguments, **settings):
        """Runs without and with an attack by turns; more of them when three are not enough to see that all is well."""
        comparison = Comparison(self, server.port, *arguments, **settings)
        comparison.run(rounds=3)
        if not comparison.is_good:
            self.note("a limit is missed by three runs: four more of each")
            comparison.run(rounds=4)
        comparison.report(check)
        self.counted(server)

    def shared(self, check, server):
        """What the goodput of a client is that has to share its server with another of its kind."""
        goodput = {False: [], True: []}
        for _ in range(3):
            for disturbed in (False, True):
                other = self.bench(server.port, *LONG, "--warm-up", "0ms", "--for", "4s") if disturbed else None
                run = self.bench(server.port, *LONG, "--warm-up", "500ms", "--for", "2s")
                goodput[disturbed].append(self.figures(run)["goodput"])
                if other:
                    self.figures(other)
        ratio = statistics.median(goodput[True]) / statistics.median(goodput[False])
        self.judge(
            check, "goodput of undisturbed", f"{ratio:.2f}", "≤ 0.80 as a proof that the rest can fail", ratio <= 0.8
        )
        self.counted(server)

    def reflection(self, check, server, *arguments, rate, seconds=4, own=False, most=3):
        victim = self.options.attacker if own else self.options.victim
        before, link_before = self.counters()["forged"]["packets"], self.link(victim, "rx")
        sent_before = self.link(self.options.attacker, "tx")
        attacker = self.attack(
            "reflect", server.port, "--rate", rate, *(["--own"] if own else []), *arguments, duration=seconds
        )
        sent = json.loads(attacker.communicate()[0].decode().splitlines()[-1])
        during = self.link(victim, "rx")[0] - link_before[0]
        # What is sent again, asked about and retained comes later.
        time.sleep(6)
        out = self.link(victim, "rx")
        out = (out[0] - link_before[0], out[1] - link_before[1])
        put_in = self.link(self.options.attacker, "tx")[0] - sent_before[0]
        self.arrived(check, sent["packets"], before)
        self.note(
            f"{put_in} bytes of IP in, {out[0]} bytes in {out[1]} packets out, {during} of them during the attack"
        )
        factor = out[0] / put_in
        if own:
            self.judge(
                check,
                "bytes out for each in",
                f"{factor:.1f}",
                f"≥ {most} as a proof that the rest can fail",
                factor >= most,
            )
        else:
            self.judge(check, "bytes out for each in", f"{factor:.2f}", f"≤ {most:.2f}", factor <= most)
        run = self.figures(
            self.bench(server.port, "--workload", "100", "--rate", "500", "--warm-up", "100ms", "--for", "500ms")
        )
        self.judge(
            check,
            "requests of a client that failed afterwards",
            int(run["errors"] + run["unfinished"]),
            "0",
            run["errors"] + run["unfinished"] == 0 and run["achieved_rate"] > 0,
        )
        self.counted(server)

    def shut_out(self, check, server, knows_identity):
        failed = {False: 0, True: 0}
        rate = {False: 0, True: 0}
        for disturbed in (False, True):
            before = self.counters()["forged"]["packets"]
            run = self.bench(server.port, "--workload", "100", "--rate", "1000", "--warm-up", "100ms", "--for", "4s")
            time.sleep(0.5)
            seen = self.look(server.port)
            extra = ["--identity", seen["identity"], "--client-homa-port", seen["homa_port"]] if knows_identity else []
            attacker = self.attack(
                "shut_out", server.port, "--client-port", seen["port"], *extra, aside=not disturbed, duration=1.2
            )
            sent = json.loads(attacker.communicate()[0].decode().splitlines()[-1])
            figures = self.figures(run)
            if disturbed:
                self.arrived(check, sent["packets"], before)
            failed[disturbed] = int(figures["errors"] + figures["unfinished"])
            rate[disturbed] = figures["achieved_rate"]
        self.judge(
            check,
            f"later requests refused, of about 4000 (undisturbed {failed[False]})",
            failed[True],
            "0",
            failed[True] == 0,
        )
        self.judge(
            check, "rate of undisturbed", f"{rate[True] / rate[False]:.2f}", "≥ 0.80", rate[True] >= 0.8 * rate[False]
        )
        self.counted(server)

    def newcomers(self, port):
        """Of twelve clients, one after the other, those all of whose calls are answered; the slowest answer."""
        served, slowest = 0, 0.0
        for _ in range(12):
            run = self.start(
                self.options.client,
                self.options.homa,
                "ping",
                f"{SERVER}:{port}",
                "--for",
                "50ms",
                "--warm-up",
                "0ms",
                "--json",
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            output = run.communicate()[0].decode()
            # Of so few that is the slowest.
            worst = [one["value"] for one in map(json.loads, output.splitlines()) if one["measure"] == "rtt_p99.9"]
            if run.returncode == 0 and worst:
                served += 1
                slowest = max(slowest, worst[0])
        return served, slowest

    def locked_out(self, check, server, *arguments, rate, fill):
        before = self.counters()["forged"]["packets"]
        calm = self.newcomers(server.port)
        attacker = self.attack("ports", server.port, "--rate", rate, *arguments)
        steady = self.bench(
            server.port, "--workload", "w3", "--rate", "500", "--warm-up", "100ms", "--for", f"{fill + 2}s"
        )
        time.sleep(fill)
        rough = self.newcomers(server.port)
        sent = self.stop(attacker)
        figures = self.figures(steady)
        time.sleep(1)
        again = self.newcomers(server.port)
        self.arrived(check, sent["packets"], before)
        self.note(
            f"slowest answer to a new client: undisturbed {calm[1] / 1e6:.2f} ms, disturbed {rough[1] / 1e6:.2f} ms; "
            f"the attacker heard {sent['heard']} packets"
        )
        if calm[0] < 12:
            raise CouldNotRun(f"{check}: {calm[0]} of 12 new clients were served without an attack")
        self.judge(check, "new clients served of 12", rough[0], "12", rough[0] == 12)
        self.judge(check, "new clients served of 12, 1 s after the attack", again[0], "12", again[0] == 12)
        failed = int(figures["errors"] + figures["unfinished"])
        self.judge(
            check,
            f"requests of a client all the while that failed, of about {500 * (fill + 2)}",
            failed,
            "0",
            failed == 0 and figures["achieved_rate"] > 0,
        )
        self.counted(server)


class Comparison:
    """Runs of a client without an attack, under it, and right after it."""

    def __init__(self, lab, port, attack, *arguments, load, is_blind=False, knows_ports=True):
        self.lab, self.port, self.attack, self.arguments, self.load = lab, port, attack, arguments, load
        # Of blind forgeries half go to the server, and the length and level of packets matter as well.
        self.is_blind, self.knows_ports = is_blind, knows_ports
        # By whether there was an attack.
        self.goodput, self.tail, self.levels, self.lengths = ({False: [], True: []} for _ in range(4))
        self.failed = {False: 0, True: 0}
        self.after, self.paths = [], []
        self.left = self.arrived = 0

    def run(self, rounds):
        for _ in range(rounds):
            # What routers are said to have said would last ten minutes.
            self.lab.forget_paths()
            self.turn(False)
            before = self.lab.counters()["forged"]["packets"]
            self.left += self.turn(True)
            self.arrived += self.lab.counters()["forged"]["packets"] - before
            # Starting takes a tenth of a second, the warm-up the rest of the second after the attack.
            figures = self.lab.figures(self.bench("--warm-up", "800ms", "--for", "1500ms"))
            self.after.append(figures.get("goodput", 0))
            ends = (self.lab.options.client, SERVER), (self.lab.options.server, CLIENT)
            self.paths.append("/".join(self.lab.path(*one) for one in ends))

    def bench(self, *times):
        return self.lab.bench(self.port, *self.load, *times)

    def attacker(self, disturbed):
        """An attacker on whatever client there is."""
        seen = ["--client-port", self.lab.look(self.port)["port"]] if self.is_blind and self.knows_ports else []
        return self.lab.attack(self.attack, self.port, *self.arguments, *seen, aside=not disturbed)

    def turn(self, disturbed):
        """One run; how many packets the attacker sent."""
        if self.is_blind:
            # The client must be there before its port can be known.
            run = self.bench("--warm-up", "1s", "--for", "2s")
            time.sleep(0.2)
            attacker = self.attacker(disturbed)
            time.sleep(0.7)
            self.lengths[disturbed].append(self.lab.sizes(self.port))
        else:
            attacker = self.attacker(disturbed)
            time.sleep(0.3)
            run = self.bench("--warm-up", "500ms", "--for", "2s")
        figures = self.lab.figures(run)
        sent = self.lab.stop(attacker)["packets"]
        self.goodput[disturbed].append(figures.get("goodput", 0))
        self.tail[disturbed].append(figures.get("latency_p99", 0))
        self.failed[disturbed] += int(figures["errors"] + figures["unfinished"])
        return sent + (self.short_turn(disturbed) if self.is_blind else 0)

    def short_turn(self, disturbed):
        """A client with short requests: the part of its packets that leaves at the two highest levels."""
        run = self.lab.bench(self.port, "--workload", "100", "--rate", "2000", "--warm-up", "700ms", "--for", "1s")
        time.sleep(0.2)
        attacker = self.attacker(disturbed)
        time.sleep(0.4)
        before = self.lab.counters()
        time.sleep(0.8)
        after = self.lab.counters()
        sent = self.lab.stop(attacker)["packets"]
        self.lab.figures(run)
        level = [after[f"level{one}"]["packets"] - before[f"level{one}"]["packets"] for one in range(8)]
        self.levels[disturbed].append(sum(level[6:]) / max(1, sum(level)))
        return sent

    # -- What came of it

    @property
    def ratios(self):
        """Goodput, 99th percentile, and goodput after the attack, of what they are undisturbed."""
        calm = statistics.median(self.goodput[False])
        if calm == 0:
            raise CouldNotRun("no goodput without an attack")
        worse = statistics.median(self.tail[True]) / max(1, statistics.median(self.tail[False]))
        return statistics.median(self.goodput[True]) / calm, worse, statistics.median(self.after) / calm

    @property
    def is_good(self):
        during, worse, after = self.ratios
        return during >= 0.8 and worse <= 2 and after >= 0.8

    def report(self, check):
        lab = self.lab
        self.tell()
        if self.left == 0 or self.arrived < 0.98 * self.left / (2 if self.is_blind else 1):
            raise CouldNotRun(f"{check}: the attack did not arrive")
        during, worse, after = self.ratios
        lab.judge(check, "goodput of undisturbed", f"{during:.2f}", "≥ 0.80", during >= 0.8)
        lab.judge(check, "99th percentile of undisturbed", f"{worse:.2f}", "≤ 2.00", worse <= 2 and during > 0)
        lab.judge(check, "goodput within 1 s after the attack, of undisturbed", f"{after:.2f}", "≥ 0.80", after >= 0.8)
        calm, rough = self.failed[False], self.failed[True]
        lab.judge(check, f"requests failed (undisturbed {calm})", rough, f"≤ {calm}", rough <= calm)
        if self.is_blind:
            self.report_packets(check)

    def report_packets(self, check):
        calm, rough = (statistics.median(self.levels[disturbed]) for disturbed in (False, True))
        text = f"part of packets of short requests at level 6 or 7 (undisturbed {calm:.2f})"
        self.lab.judge(check, text, f"{rough:.2f}", f"≥ {0.95 * calm:.2f}", rough >= 0.95 * calm > 0)
        for side, name in enumerate(("client", "server")):
            calm, rough = (min(one[side] for one in self.lengths[disturbed]) for disturbed in (False, True))
            text = f"longest packet of the {name} in the worst run"
            self.lab.judge(check, text, rough, calm, rough >= calm > 0, " bytes")

    def tell(self):
        def all_of(values, unit, digits):
            return " ".join(f"{one / unit:.{digits}f}" for one in values)

        lab = self.lab
        lab.note(f"{self.left} packets of the attacker left, {self.arrived} came to the server's host")
        lab.note(
            f"goodput undisturbed {all_of(self.goodput[False], 1e9, 2)}, "
            f"disturbed {all_of(self.goodput[True], 1e9, 2)}, after it {all_of(self.after, 1e9, 2)} Gb/s"
        )
        lab.note(
            f"99th percentile undisturbed {all_of(self.tail[False], 1e6, 1)}, "
            f"disturbed {all_of(self.tail[True], 1e6, 1)} ms"
        )
        if self.is_blind:
            lab.note(f"path MTU that the systems of client/server have after it: {', '.join(self.paths)}")


LONG = ["--workload", "500K", "--outstanding", "4", "--response-size", "100"]
ECHO = ["--workload", "500K", "--outstanding", "2"]


def starvation(*arguments):
    return lambda lab, name, server: lab.compare(name, server, "starve", *arguments, load=LONG)


def reflection(*arguments, **settings):
    return lambda lab, name, server: lab.reflection(name, server, *arguments, **settings)


def forgery(what, knows_ports=True):
    def check(lab, name, server):
        lab.compare(
            name, server, "forge", "--what", what, "--rate", 100, load=ECHO, is_blind=True, knows_ports=knows_ports
        )

    return check


def lockout(*arguments, **settings):
    return lambda lab, name, server: lab.locked_out(name, server, *arguments, **settings)


# By name: what is done, whether the server is a grown one, and the check.
CHECKS = {
    "shut-out": (
        "one forged first packet each with another identity, none, no extensions; source = the client's address, port",
        True,
        lambda lab, name, server: lab.shut_out(name, server, False),
    ),
    "shut-out-seen": (
        "the same by somebody who has seen the client's identity and port",
        True,
        lambda lab, name, server: lab.shut_out(name, server, True),
    ),
    "reflect-shown": (
        "the packets of reflect-100 from an address that shows that it hears: a proof that the checks can fail",
        True,
        reflection("--response", MEGABYTE, "--grants", rate=100, own=True, most=100),
    ),
    "reflect-100": (
        "requests for 1 MB in the victim's name, GRANT and RESEND for each, 100/s",
        True,
        reflection("--response", MEGABYTE, "--grants", rate=100),
    ),
    "reflect-1000": ("the same, 1000/s", True, reflection("--response", MEGABYTE, "--grants", rate=1000)),
    "reflect-kernel-100": (
        "the same without extensions, 100/s",
        True,
        reflection("--response", MEGABYTE, "--grants", "--version", 0, rate=100),
    ),
    "reflect-kernel-1000": (
        "the same without extensions, 1000/s",
        True,
        reflection("--response", MEGABYTE, "--grants", "--version", 0, rate=1000),
    ),
    "reflect-60K": (
        "requests for 60 KB in the victim's name and no GRANT, 100/s",
        True,
        reflection("--response", 60_000, rate=100),
    ),
    "reflect-small": ("requests of 1 byte for 1 byte, 100/s", True, reflection("--response", 1, rate=100)),
    "reflect-small-kernel": (
        "the same without extensions",
        True,
        reflection("--response", 1, "--version", 0, rate=100),
    ),
    "reflect-first": (
        "first packets of 1 byte of requests of 1 MB, and nothing more, 100/s",
        True,
        reflection("--first-only", rate=100),
    ),
    "reflect-first-young": ("the same at a server that has just started", False, reflection("--first-only", rate=100)),
    "reflect-nothing": ("NEED_ACK and RESEND about nothing, 100/s each", True, reflection("--about-nothing", rate=100)),
    "reflect-bundles": (
        "requests of 16 bytes for 200 bytes, 18 in a datagram, 100/s",
        True,
        reflection("--response", 200, "--bundle", 18, "--version", 2, rate=100),
    ),
    "reflect-nothing-bundles": (
        "NEED_ACK about nothing, 40 in a datagram, 100/s",
        True,
        reflection("--about-nothing", "--bundle", 40, "--version", 2, rate=100),
    ),
    "starve-shown": (
        "the load of the following checks twice at a time: a proof that they can fail",
        True,
        lambda lab, name, server: lab.shared(name, server),
    ),
    "starve-8-stranger": (
        "8 messages of 1 MB of which 1 byte comes, repeated every 3 ms, forged",
        True,
        starvation("--messages", 8, "--interval", 0.003),
    ),
    "starve-8-host": (
        "the same by a host that has shown that it hears",
        True,
        starvation("--own", "--messages", 8, "--interval", 0.003),
    ),
    "starve-64-stranger": (
        "64 such messages, repeated every 24 ms, forged",
        True,
        starvation("--messages", 64, "--interval", 0.024),
    ),
    "starve-64-host": (
        "the same by a host that has shown that it hears",
        True,
        starvation("--own", "--messages", 64, "--interval", 0.024),
    ),
    "claim-stranger": (
        "one packet of 1 byte with incoming 999 999, repeated 400/s, forged",
        True,
        starvation("--messages", 1, "--interval", 0.0025, "--incoming", 999_999),
    ),
    "claim-host": (
        "the same by a host that has shown that it hears",
        True,
        starvation("--own", "--messages", 1, "--interval", 0.0025, "--incoming", 999_999),
    ),
    "answering-host": (
        "64 requests of 1 MB kept alive by a duplicate for each RESEND",
        True,
        starvation("--own", "--answering", "--messages", 64, "--interval", 0.01),
    ),
    "trickle-host": (
        "8 messages of 1 MB, incoming 999 999, of each one new byte every 3 ms, by a host that has shown that it hears",
        True,
        starvation("--own", "--trickle", "--messages", 8, "--interval", 0.003, "--incoming", 999_999),
    ),
    "newcomers-ports": (
        "450 requests of 1 byte a second, each from another port of one ordinary host",
        True,
        lockout("--own", rate=450, fill=11),
    ),
    "newcomers-lives": ("the same, each with another identity", True, lockout("--own", "--lives", rate=450, fill=11)),
    "newcomers-known": (
        "the same, and a second request from each port, which shows that somebody hears there",
        True,
        lockout("--own", "--twice", rate=450, fill=11),
    ),
    "newcomers-young": (
        "the same at a server that has just started",
        False,
        lockout("--own", "--lives", rate=450, fill=11),
    ),
    "newcomers-forged": (
        "450 requests of 1 byte a second, each in the name of an address that nobody has",
        True,
        lockout(rate=450, fill=11),
    ),
    "newcomers-forged-4500": ("4500 such requests a second", True, lockout(rate=4500, fill=11)),
    "newcomers-first": (
        "1000 first packets of 1 byte of requests of 1 MB a second, each in the name of an address that nobody has",
        True,
        lockout("--first-only", rate=1000, fill=6),
    ),
    "blind-cutoffs": (
        "CUTOFFS in the name of either end, UDP ports right, 100/s each way",
        True,
        forgery("cutoffs"),
    ),
    "blind-nothing": (
        "GRANT, RESEND, RPC_UNKNOWN, BUSY, NEED_ACK, ACK and DATA about nothing in the name of either end, "
        "UDP ports right, 100/s each way",
        True,
        forgery("nothing"),
    ),
    "blind-icmp": (
        "ICMP fragmentation needed, MTU 576, about packets of either end, the server's UDP port right, 100/s each way",
        True,
        forgery("icmp", knows_ports=False),
    ),
    "blind-unreachable": (
        "ICMP port, host and protocol unreachable, and prohibited, both UDP ports right, 100/s each way",
        True,
        forgery("unreachable"),
    ),
    "blind-icmp-ports": ("ICMP fragmentation needed as before, both UDP ports right", True, forgery("icmp")),
}


def measure(options):
    names = options.checks or list(CHECKS)
    unknown = [one for one in names if one not in CHECKS]
    if unknown:
        print(f"attacks: no check {unknown[0]}; --list names them", file=sys.stderr)
        return 2
    lab = Lab(options)
    grown = {}
    try:
        # Every check has a server of its own, which none before has harmed.
        for index, name in enumerate(names):
            if CHECKS[name][1]:
                grown[name] = Server(lab, 4001 + index)
        if grown:
            list(grown.values())[-1].await_age(1)
        probe = Server(lab, 4000)
        lab.figures(lab.bench(4000, "--workload", "100", "--rate", "100", "--warm-up", "0ms", "--for", "200ms"))
        lab.counted(probe)
        if lab.environment.get("build") != "release":
            raise CouldNotRun(f"a {lab.environment.get('build')} build")
        about = lab.environment
        print(
            f"{about['build']} build, {about['cores']} cores of {about['machine']}, {about['kernel']}, load "
            f"{os.getloadavg()[0]:.1f}, MTU {about.get('mtu_bytes', 'unknown')} bytes, veth pairs and a bridge, "
            f"default configuration, seed {about['seed']}",
            flush=True,
        )
        print(
            f"goodput and percentile: homa bench {' '.join(LONG)}, blind-*: {' '.join(ECHO)}; "
            "medians of three runs by turns, or seven",
            flush=True,
        )
        for index, name in enumerate(names):
            text, is_grown, check = CHECKS[name]
            print(f"== {name}: {text}", flush=True)
            server = grown[name] if is_grown else Server(lab, 4001 + index)
            if is_grown:
                server.await_age(Lab.GROWN)
            check(lab, name, server)
    except CouldNotRun as why:
        print(f"attacks: {why}", file=sys.stderr)
        return 2
    for one in lab.missed:
        print(f"missed: {one}")
    print(f"{len(lab.missed)} of {lab.count} missed what is wanted" if lab.missed else f"all {lab.count} checks passed")
    return 1 if lab.missed else 0


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    measuring = commands.add_parser("measure")
    for one in ("homa", "logs", "server", "client", "victim", "attacker"):
        measuring.add_argument(f"--{one}", required=True)
    measuring.add_argument("checks", nargs="*")
    options = parser.parse_args()
    if options.command == "list":
        for name, (text, _, _) in CHECKS.items():
            print(f"{name:22}{text}")
        return 0
    return measure(options)


if __name__ == "__main__":
    sys.exit(main())
