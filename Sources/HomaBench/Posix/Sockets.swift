// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBase

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
enum Sockets {
    /// A TCP socket that listens. On an IPv6 wildcard address it takes IPv4 connections as well.
    static func listen(on address: PeerAddress, options: TCPOptions) throws(SocketError) -> Int32 {
        let file = try open(SOCK_STREAM, for: address)
        do throws(SocketError) {
            try set(file, SOL_SOCKET, SO_REUSEADDR, 1)
            try setBuffers(file, options.bufferBytes)  // before listen, so that the window scale fits
            try bind(file, to: address)
            _ = try checked(Glibc.listen(file, 1024), "listen")
            try makeNonBlocking(file)
            return file
        } catch {
            close(file)
            throw error
        }
    }

    /// A TCP connection, ready for use and non-blocking.
    static func connect(to address: PeerAddress, options: TCPOptions) throws(SocketError) -> Int32 {
        let file = try open(SOCK_STREAM, for: address)
        do throws(SocketError) {
            try setBuffers(file, options.bufferBytes)
            try set(file, Int32(IPPROTO_TCP), TCP_NODELAY, options.noDelay ? 1 : 0)
            _ = try checked(address.withSocketAddress { Glibc.connect(file, $0, $1) }, "connect")
            try makeNonBlocking(file)
            return file
        } catch {
            close(file)
            throw error
        }
    }

    /// A UDP socket bound to `address`, or to any port of its family when `address` is to be connected to.
    static func datagram(boundTo address: PeerAddress) throws(SocketError) -> Int32 {
        let file = try open(SOCK_DGRAM, for: address)
        do throws(SocketError) {
            try bind(file, to: address)
            try makeNonBlocking(file)
            return file
        } catch {
            close(file)
            throw error
        }
    }

    /// A UDP socket connected to `address`.
    static func datagram(connectedTo address: PeerAddress) throws(SocketError) -> Int32 {
        let file = try open(SOCK_DGRAM, for: address)
        do throws(SocketError) {
            _ = try checked(address.withSocketAddress { Glibc.connect(file, $0, $1) }, "connect")
            try makeNonBlocking(file)
            return file
        } catch {
            close(file)
            throw error
        }
    }

    /// The next connection of a listening socket; nil when there is none.
    static func accept(_ listener: Int32, options: TCPOptions) -> Int32? {
        let file = Glibc.accept(listener, nil, nil)
        guard file >= 0 else { return nil }
        do throws(SocketError) {
            try makeNonBlocking(file)
            try set(file, Int32(IPPROTO_TCP), TCP_NODELAY, options.noDelay ? 1 : 0)
            return file
        } catch {
            close(file)
            return nil
        }
    }

    private static func open(_ type: __socket_type, for address: PeerAddress) throws(SocketError) -> Int32 {
        let cloexec = Int32(SOCK_CLOEXEC.rawValue)
        let file = try checked(socket(address.family, Int32(type.rawValue) | cloexec, 0), "socket")
        guard !address.isIPv4, address.high == 0, address.low == 0 else { return file }
        try set(file, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0)
        return file
    }

    private static func bind(_ file: Int32, to address: PeerAddress) throws(SocketError) {
        _ = try checked(address.withSocketAddress { Glibc.bind(file, $0, $1) }, "bind")
    }

    private static func setBuffers(_ file: Int32, _ bytes: Int?) throws(SocketError) {
        guard let bytes else { return }
        try set(file, SOL_SOCKET, SO_SNDBUF, Int32(clamping: bytes))
        try set(file, SOL_SOCKET, SO_RCVBUF, Int32(clamping: bytes))
    }

    private static func makeNonBlocking(_ file: Int32) throws(SocketError) {
        _ = try checked(fcntl(file, F_SETFL, O_NONBLOCK), "fcntl")
    }

    static func set(_ file: Int32, _ level: Int32, _ option: Int32, _ value: Int32) throws(SocketError) {
        var value = value
        _ = try checked(setsockopt(file, level, option, &value, 4), "setsockopt")
    }

    /// Asks for buffers of so many bytes, past the system's limit where the process may; takes what it gets.
    static func growBuffers(_ file: Int32, _ bytes: Int32) {
        for (forced, option) in [(SO_RCVBUFFORCE, SO_RCVBUF), (SO_SNDBUFFORCE, SO_SNDBUF)]
        where (try? set(file, SOL_SOCKET, forced, bytes)) == nil {
            try? set(file, SOL_SOCKET, option, bytes)
        }
    }

    /// Longest IP packet on the way to the peer of a connected socket, in bytes.
    static func pathMTU(_ file: Int32, isIPv4: Bool) throws(SocketError) -> Int {
        var value: Int32 = 0
        var length = socklen_t(4)
        let (level, option) = isIPv4 ? (Int32(IPPROTO_IP), IP_MTU) : (Int32(IPPROTO_IPV6), IPV6_MTU)
        _ = try checked(getsockopt(file, level, option, &value, &length), "getsockopt")
        return Int(value)
    }
}
