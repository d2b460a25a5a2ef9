// SPDX-License-Identifier: Apache-2.0

/// What the parts of a lab are called, and their addresses. Hosts are numbered from 1.
///
/// Addresses exist inside the lab's namespaces only, so that all labs have the same ones.
package struct LabNames: Equatable, Sendable {
    let lab: String

    /// The namespace of the switch.
    var switchNamespace: String { "homa-\(lab)-switch" }
    /// The bridge in it.
    static let bridge = "bridge"
    /// The host's only network interface, inside its namespace.
    static let interface = "eth0"
    /// The table of packet filter rules in the switch.
    static let filterTable = "homa_lab"

    func host(_ number: Int) -> String { "homa-\(lab)-h\(number)" }
    /// The switch's end of the link to a host.
    static func port(_ number: Int) -> String { "port\(number)" }

    static func ipv4(_ number: Int) -> String { "10.146.0.\(number)" }
    static func ipv6(_ number: Int) -> String { "fd14:6::\(hexadecimal(number))" }
    /// Locally administered.
    static func hardwareAddress(_ number: Int) -> String {
        "02:48:6f:6d:61:" + (number < 16 ? "0" : "") + hexadecimal(number)
    }

    /// All namespaces: the hosts' and the switch's.
    func namespaces(hosts: Int) -> [String] { (1...hosts).map(host) + [switchNamespace] }

    private static func hexadecimal(_ number: Int) -> String { String(number, radix: 16) }
}
