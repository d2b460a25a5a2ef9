// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
public import HomaBase

/// Why a text names no address.
public enum ResolutionError: Error, Equatable, Sendable {
    /// Neither `host:port` nor `[v6]:port`; `reason` says what is wrong.
    case malformed(text: String, reason: String)
    /// The name service knows no such host, or did not answer; `reason` is its own text.
    case notFound(host: String, reason: String)
}

extension ResolutionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformed(let text, let reason): "\"\(text)\" is not an address: \(reason)"
        case .notFound(let host, let reason): "\(host): \(reason)"
        }
    }
}

/// Turns what people write into addresses.
public enum AddressResolver {
    /// All addresses of `text`, in the order in which the system prefers them, without repetition.
    ///
    /// Accepted: `host:port`, `192.0.2.1:port`, `[2001:db8::1]:port`, `[fe80::1%eth0]:port`; without
    /// `:port` (and then IPv6 without brackets too) when there is a `defaultPort`.
    ///
    /// Blocks for as long as the name service takes, seconds at worst; never call it on an engine
    /// thread. Numeric addresses do not ask anybody.
    ///
    /// - Throws: ``ResolutionError``.
    public static func resolve(
        _ text: String, defaultPort: UInt16? = nil
    ) throws(ResolutionError) -> [PeerAddress] {
        let (host, port) = try split(text, defaultPort: defaultPort)
        guard !host.utf8.contains(0) else { throw .malformed(text: text, reason: "the host contains a zero byte") }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else { throw .notFound(host: host, reason: String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(list) }

        var found: [PeerAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            let bytes = UnsafeRawBufferPointer(start: entry.ai_addr, count: Int(entry.ai_addrlen))
            guard var address = PeerAddress(socketAddress: bytes) else { continue }
            address.port = port
            if !found.contains(address) { found.append(address) }
        }
        return found
    }

    /// Cuts the port off. A second colon outside brackets can only be an IPv6 address without a port.
    static func split(
        _ text: String, defaultPort: UInt16?
    ) throws(ResolutionError) -> (host: String, port: UInt16) {
        var host = text[...]
        var digits: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw .malformed(text: text, reason: "no closing bracket") }
            host = text[text.index(after: text.startIndex)..<end]
            guard host.contains(":") else { throw .malformed(text: text, reason: "no IPv6 address in the brackets") }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else {
                throw .malformed(text: text, reason: "only a port may follow the brackets")
            }
            digits = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = text.firstIndex(of: ":"), colon == text.lastIndex(of: ":") {
            host = text[..<colon]
            digits = text[text.index(after: colon)...]
        } else if text.contains(":"), defaultPort == nil {
            throw .malformed(text: text, reason: "an IPv6 address with a port needs brackets")
        }
        guard !host.isEmpty else { throw .malformed(text: text, reason: "no host") }
        guard let digits else {
            guard let defaultPort else { throw .malformed(text: text, reason: "no port") }
            return (String(host), defaultPort)
        }
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits), port > 0 else {
            throw .malformed(text: text, reason: "the port must be 1 to 65535")
        }
        return (String(host), port)
    }
}
