// SPDX-License-Identifier: Apache-2.0

public import HomaBase
internal import HomaIO
internal import HomaPosix

/// Where a server is: its node (IP address and UDP port) and the Homa port of a socket there.
///
/// Text forms:
/// - `10.0.0.2:4000`: Homa port 4000 at UDP port 4000, the everyday case;
/// - `10.0.0.2:4000/99`: Homa port 99 at UDP port 4000;
/// - with the carriage `ip146` there is no UDP port, and `10.0.0.2:99` is Homa port 99;
/// - `[2001:db8::1]:4000` and `[2001:db8::1]:4000/99` for IPv6.
public struct HomaAddress: Hashable, Sendable {
    /// The node.
    public var node: PeerAddress
    /// The Homa port: 1 … 32767 for a server, above for a client.
    public var port: UInt16

    public init(node: PeerAddress, port: UInt16) {
        self.node = node
        self.port = port
    }

    /// Reads a numeric address. Asks nobody and never blocks.
    ///
    /// - Throws: ``HomaError`` with code `invalidAddress`; also for a host name, which only
    ///   ``HomaNode/resolve(_:)`` can turn into an address.
    public init(_ text: String) throws(HomaError) {
        let (host, port) = try Self.split(text)
        guard Self.isNumeric(host) else {
            throw HomaError(.invalidAddress, "\"\(text)\" is not numeric; names are resolved by HomaNode.resolve")
        }
        self = try Self.lookUp(host: host, port: port)[0]
    }

    /// Cuts off the Homa port. Without one, it equals the UDP port.
    static func split(_ text: String) throws(HomaError) -> (host: String, port: UInt16?) {
        guard let slash = text.lastIndex(of: "/") else { return (text, nil) }
        let digits = text[text.index(after: slash)...]
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits),
            port > 0, port < HomaLimits.firstClientPort
        else {
            throw HomaError(.invalidAddress, "\"\(text)\" is not an address: a Homa port is 1 to 32767")
        }
        return (String(text[..<slash]), port)
    }

    /// Asks the resolver; blocks when `host` is a name. At least one address.
    static func lookUp(host: String, port: UInt16?) throws(HomaError) -> [HomaAddress] {
        let nodes: [PeerAddress]
        do throws(ResolutionError) {
            nodes = try AddressResolver.resolve(host)
        } catch {
            throw HomaError(error)
        }
        guard let node = nodes.first else { throw HomaError(.nameNotFound, "\(host) has no IP address") }
        guard let port = port ?? (node.port < HomaLimits.firstClientPort ? node.port : nil) else {
            throw HomaError(
                .invalidAddress,
                "\"\(host)\" is not an address: UDP port \(node.port) needs a Homa port, as in \(host)/99")
        }
        return nodes.map { HomaAddress(node: $0, port: port) }
    }

    /// True when `host` (with its UDP port) contains no name to look up.
    static func isNumeric(_ host: String) -> Bool {
        if host.utf8.first == UInt8(ascii: "[") { return true }
        guard let colon = host.utf8.firstIndex(of: UInt8(ascii: ":")) else { return false }
        let name = host.utf8[..<colon]
        return !name.isEmpty && name.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
    }
}

extension HomaAddress: CustomStringConvertible {
    /// The text form; the Homa port is left out when it equals the UDP port.
    public var description: String { node.port == port ? "\(node)" : "\(node)/\(port)" }
}
