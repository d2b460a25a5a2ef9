// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// Where the suite's processes meet: two network namespaces with a veth pair between them, or the loopback of this one.
final class SuitePath {
    /// Longest IP packet between the namespaces, the one of Ethernet.
    static let vethMTU = 1500

    /// Why it is loopback; nil when it is a veth pair.
    let whyLoopback: String?
    let serverHost: String
    /// Namespaces made here, in the order they were made; the server's first.
    private var namespaces: [String] = []

    var isVeth: Bool { whyLoopback == nil }

    /// A veth pair where this process may make one.
    static func make() -> SuitePath {
        do throws(LabError) {
            try SystemTools.requireRoot(to: "make network namespaces")
            guard SystemTools.path(of: "ip") != nil else {
                throw LabError("ip is not installed; on Debian: apt-get install iproute2")
            }
            return try SuitePath(process: getpid())
        } catch {
            return SuitePath(loopbackBecause: error.description)
        }
    }

    init(loopbackBecause why: String) {
        whyLoopback = why
        serverHost = "127.0.0.1"
    }

    private init(process: Int32) throws(LabError) {
        whyLoopback = nil
        serverHost = "10.78.0.2"
        let (server, client) = ("homa-sb-\(process)", "homa-sa-\(process)")
        do throws(LabError) {
            for name in [server, client] {
                try SystemCommand("ip", "netns", "add", name).run()
                namespaces.append(name)
            }
            try SystemCommand(
                "ip", "link", "add", "sa\(process)", "netns", client, "type", "veth", "peer", "name", "sb\(process)",
                "netns", server
            ).run()
            for (name, device, host) in [(client, "sa\(process)", 1), (server, "sb\(process)", 2)] {
                try SystemCommand.ip(
                    in: name,
                    [
                        "link set lo up", "addr add 10.78.0.\(host)/24 dev \(device)",
                        "link set \(device) mtu \(Self.vethMTU) up",
                    ]
                ).run()
            }
        } catch {
            remove()
            throw error
        }
        // The devices take a moment to find each other.
        usleep(300_000)
    }

    /// Removes what was made, and nothing else.
    func remove() {
        for name in namespaces { _ = try? SystemCommand("ip", "netns", "del", name).run() }
        namespaces = []
    }

    /// What a process is started through, so that it runs on its side and on its own core, if it has one.
    func launcher(isServer: Bool, sharesCores: Bool = false) -> [String] {
        var line: [String] = []
        if let ip = SystemTools.path(of: "ip"), namespaces.count == 2 {
            line += [ip, "netns", "exec", namespaces[isServer ? 0 : 1]]
        }
        if pins, !sharesCores, let taskset = SystemTools.path(of: "taskset") {
            line += [taskset, "-c", isServer ? "1" : "0"]
        }
        return line
    }

    /// True when each side has a core of its own.
    var pins: Bool { sysconf(Int32(_SC_NPROCESSORS_ONLN)) >= 2 && SystemTools.path(of: "taskset") != nil }

    var description: String {
        let cores = pins ? "server on core 1, client on core 0" : "both sides wherever the system puts them"
        guard let whyLoopback else {
            return "two network namespaces, a veth pair, MTU \(Self.vethMTU), the system's offloads; \(cores)"
        }
        return "LOOPBACK, because \(whyLoopback); ratios to TCP and UDP are not those of a network; \(cores)"
    }

    /// What both sides have counted so far.
    func counters() -> HostNetworkCounters {
        var sum = HostNetworkCounters(snmp: "", snmp6: "")
        for name in namespaces {
            let texts = ["snmp", "snmp6"].map {
                (try? SystemCommand.inside(name, ["cat", "/proc/self/net/\($0)"]).run()) ?? ""
            }
            let counters = HostNetworkCounters(snmp: texts[0], snmp6: texts[1])
            sum.receiveBufferErrors += counters.receiveBufferErrors
            sum.segmentsResent += counters.segmentsResent
        }
        return isVeth ? sum : .now()
    }
}
