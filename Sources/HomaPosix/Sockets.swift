// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
public import HomaBase

/// How TCP sockets are set up, on both ends.
public struct TCPOptions: Sendable, Equatable {
    /// Switch Nagle's algorithm off, as every RPC system does.
    public var noDelay = true
    /// Size of the kernel's send and receive buffers in bytes; nil leaves them to the kernel, which tunes them.
    public var bufferBytes: Int?

    public init(noDelay: Bool = true, bufferBytes: Int? = nil) {
        self.noDelay = noDelay
        self.bufferBytes = bufferBytes
    }
}

/// Making sockets. Every call closes what it has opened when it throws.
public enum Sockets {
    /// A TCP socket that listens. On an IPv6 wildcard address it takes IPv4 connections as well.
    public static func listen(on address: PeerAddress, options: TCPOptions) throws(SystemError) -> Int32 {
        let file = try open(SOCK_STREAM, for: address)
        do throws(SystemError) {
            try set(file, SOL_SOCKET, SO_REUSEADDR, 1)
            try setBuffers(file, options.bufferBytes)  // before listen, so that the window scale fits
            try bind(file, to: address)
            try SystemError.checkErrno(Glibc.listen(file, 1024), "listen")
            try makeNonBlocking(file)
            return file
        } catch {
            close(file)
            throw error
        }
    }

    /// A TCP connection, ready for use and non-blocking.
    public static func connect(to address: PeerAddress, options: TCPOptions) throws(SystemError) -> Int32 {
        let file = try open(SOCK_STREAM, for: address)
        do throws(SystemError) {
            try setBuffers(file, options.bufferBytes)
            try set(file, Int32(IPPROTO_TCP), TCP_NODELAY, options.noDelay ? 1 : 0)
            try name(address, "connect") { Glibc.connect(file, $0, $1) }
            try makeNonBlocking(file)
            return file
        } catch {
            close(file)
            throw error
        }
    }

    /// A UDP socket bound to `address`, or to any port of its family when `address` is to be connected to.
    public static func datagram(boundTo address: PeerAddress) throws(SystemError) -> Int32 {
        let file = try open(SOCK_DGRAM, for: address)
        do throws(SystemError) {
            try bind(file, to: address)
            try makeNonBlocking(file)
            return file
        } catch {
            close(file)
            throw error
        }
    }

    /// A UDP socket connected to `address`.
    public static func datagram(connectedTo address: PeerAddress) throws(SystemError) -> Int32 {
        let file = try open(SOCK_DGRAM, for: address)
        do throws(SystemError) {
            try name(address, "connect") { Glibc.connect(file, $0, $1) }
            try makeNonBlocking(file)
            return file
        } catch {
            close(file)
            throw error
        }
    }

    /// The next connection of a listening socket; nil when there is none.
    public static func accept(_ listener: Int32, options: TCPOptions) -> Int32? {
        let file = Glibc.accept(listener, nil, nil)
        guard file >= 0 else { return nil }
        do throws(SystemError) {
            try makeNonBlocking(file)
            try set(file, Int32(IPPROTO_TCP), TCP_NODELAY, options.noDelay ? 1 : 0)
            return file
        } catch {
            close(file)
            return nil
        }
    }

    private static func open(_ type: __socket_type, for address: PeerAddress) throws(SystemError) -> Int32 {
        let kind = Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let file = try SystemError.checkErrno(socket(address.isIPv4 ? AF_INET : AF_INET6, kind, 0), "socket")
        guard !address.isIPv4, address.high == 0, address.low == 0 else { return file }
        try set(file, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0)
        return file
    }

    private static func bind(_ file: Int32, to address: PeerAddress) throws(SystemError) {
        try name(address, "bind") { Glibc.bind(file, $0, $1) }
    }

    private static func name(
        _ address: PeerAddress, _ call: String, _ body: (UnsafePointer<sockaddr>?, socklen_t) -> Int32
    ) throws(SystemError) {
        let result = address.withSocketAddress { bytes in
            body(bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        try SystemError.checkErrno(result, call, "\(address)")
    }

    private static func setBuffers(_ file: Int32, _ bytes: Int?) throws(SystemError) {
        guard let bytes else { return }
        try set(file, SOL_SOCKET, SO_SNDBUF, Int32(clamping: bytes))
        try set(file, SOL_SOCKET, SO_RCVBUF, Int32(clamping: bytes))
    }

    private static func makeNonBlocking(_ file: Int32) throws(SystemError) {
        try SystemError.checkErrno(fcntl(file, F_SETFL, O_NONBLOCK), "fcntl")
    }

    /// Sets an option that is a number.
    public static func set(_ file: Int32, _ level: Int32, _ option: Int32, _ value: Int32) throws(SystemError) {
        var value = value
        try SystemError.checkErrno(setsockopt(file, level, option, &value, 4), "setsockopt")
    }

    /// Asks for buffers of so many bytes, past the system's limit where the process may; takes what it gets.
    public static func growBuffers(_ file: Int32, _ bytes: Int32) {
        for (forced, option) in [(SO_RCVBUFFORCE, SO_RCVBUF), (SO_SNDBUFFORCE, SO_SNDBUF)]
        where (try? set(file, SOL_SOCKET, forced, bytes)) == nil {
            try? set(file, SOL_SOCKET, option, bytes)
        }
    }

    /// Longest IP packet on the way to the peer of a connected socket, in bytes.
    public static func pathMTU(_ file: Int32, isIPv4: Bool) throws(SystemError) -> Int {
        var value: Int32 = 0
        var length = socklen_t(4)
        let (level, option) = isIPv4 ? (Int32(IPPROTO_IP), IP_MTU) : (Int32(IPPROTO_IPV6), IPV6_MTU)
        try SystemError.checkErrno(getsockopt(file, level, option, &value, &length), "getsockopt")
        return Int(value)
    }
}
