// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What the kernel counts for the host (network namespace) that this process runs in.
package struct HostNetworkCounters: Equatable, Sendable {
    /// Datagrams dropped because the receiving socket was full, IPv4 and IPv6.
    var receiveBufferErrors: UInt64 = 0
    /// TCP segments sent again.
    var segmentsResent: UInt64 = 0

    static func now() -> HostNetworkCounters {
        HostNetworkCounters(snmp: readFile("/proc/self/net/snmp"), snmp6: readFile("/proc/self/net/snmp6"))
    }

    /// - Parameters:
    ///   - snmp: the text of `/proc/net/snmp`, pairs of lines: names, values.
    ///   - snmp6: the text of `/proc/net/snmp6`, a name and a value on each line.
    init(snmp: String, snmp6: String) {
        let lines = snmp.split(separator: "\n").map { $0.split(separator: " ") }
        for (names, values) in zip(lines, lines.dropFirst()) where names.first == values.first {
            for (name, value) in zip(names, values) {
                if names.first == "Udp:", name == "RcvbufErrors" { receiveBufferErrors += UInt64(value) ?? 0 }
                if names.first == "Tcp:", name == "RetransSegs" { segmentsResent += UInt64(value) ?? 0 }
            }
        }
        for line in snmp6.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.first == "Udp6RcvbufErrors", let value = words.last { receiveBufferErrors += UInt64(value) ?? 0 }
        }
    }
}

/// Packets that the kernel dropped between a device and the protocols, on all cores, because its queue was full.
enum SoftnetCounters {
    static func drops() -> UInt64 { drops(in: readFile("/proc/net/softnet_stat")) }

    /// - Parameter text: of `/proc/net/softnet_stat`: a line for each core, hexadecimal, drops in the second column.
    static func drops(in text: String) -> UInt64 {
        text.split(separator: "\n").reduce(0) { sum, line in
            let columns = line.split(separator: " ")
            return sum + (columns.count > 1 ? UInt64(columns[1], radix: 16) ?? 0 : 0)
        }
    }
}

func readFile(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
}
