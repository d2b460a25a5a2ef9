// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

/// Carries packets directly in IP, as protocol 146: the carriage of the Linux kernel module. Needs `CAP_NET_RAW`.
///
/// A peer is named by its IP address and Homa port, since there is no other port: ``PeerAddress/port`` of a packet
/// received is its source port, and packets go to whatever port their header names. All nodes of a host (of its
/// network namespace) share the Homa ports, each of which belongs to one of them: see ``open(_:)``.
///
/// The kernel gives every node each packet that arrives. A node ignores what is for another one's port. What is for
/// nobody's is answered with "port unreachable" by one of them, like the kernel module does.
///
/// What leaves, and what becomes of it, is as with a ``UDPDriver``, but there are no trains and no bundles.
struct RawIPDriver: WaitingDriver, ~Copyable, @unchecked Sendable {
    /// The protocol number (IANA).
    static let protocolNumber: Int32 = 146

    /// Sends, and has the memory for what arrives.
    var datagrams: DatagramDriver<RawSockets>
    /// What takes hijacked TCP, if anything does.
    var hijacked: RawLane?
    var ports = HostPorts()
    /// Of each socket that is received from: protocol 146 and hijacked TCP, for IPv4 and for IPv6.
    var lastOverflows = InlineArray<4, UInt32>(repeating: 0)
    var isHijackedFirst = false
    var answers = AnswerLimit()

    /// Opens the sockets for the families that `options` ask for. Ports and offloads in them do not matter.
    ///
    /// - Throws: ``SystemError``: `EPERM` without `CAP_NET_RAW`, `EADDRNOTAVAIL`, or what the system says.
    init(_ options: UDPSocketOptions = UDPSocketOptions()) throws(SystemError) {
        try options.validate()
        let sockets = try RawSockets(options)
        hijacked = sockets.hijacked
        datagrams = try DatagramDriver(sockets, options, isUsingGSO: false, isUsingGRO: false)
    }

    static var sharesPorts: Bool { true }
    var isUsingGSO: Bool { false }
    var isUsingGRO: Bool { false }

    /// What ends a wait from any thread.
    var waker: Waker { datagrams.sockets.poller.waker }

    var localAddress: PeerAddress { datagrams.localAddress }
    var granted: GrantedOptions { datagrams.granted }
    var shortfalls: [String] { datagrams.shortfalls }
    var statistics: UDPStatistics { datagrams.statistics }

    func pathMTU(to peer: PeerAddress) -> Int? { datagrams.pathMTU(to: peer) }

    mutating func wait(until limit: Instant, forRoom: Bool) -> Poller.Events {
        datagrams.sockets.wait(until: limit, forRoom: forRoom)
    }

    /// Takes a Homa port for this node. Each port of a host belongs to one node at most.
    ///
    /// - Throws: `EADDRINUSE` when another node of this host has it.
    mutating func open(_ port: UInt16) throws(SystemError) { try ports.open(port) }

    /// Gives a port up; its packets are nobody's from now on.
    mutating func close(_ port: UInt16) { ports.close(port) }

    var mayHaveErrors: Bool { datagrams.mayHaveErrors }
    mutating func nextError() -> DriverError? { datagrams.nextError() }

    // MARK: What leaves

    var queuedPackets: Int { datagrams.queuedPackets }
    var appendedPackets: UInt64 { datagrams.appendedPackets }
    var oldestQueued: UInt64 { datagrams.oldestQueued }
    var room: Int { datagrams.room }
    var isFull: Bool { datagrams.isFull }

    func reserveHeader() -> UnsafeMutableRawBufferPointer { datagrams.reserveHeader() }

    mutating func append(
        headerByteCount: Int, payload: UnsafeRawPointer?, payloadByteCount: Int,
        to peer: PeerAddress, priority: UInt8, bundleBytes: UInt32 = 0, isUnheard: Bool = false
    ) {
        // To a raw IPv6 socket the port is the protocol's number; to an IPv4 one it is nothing.
        var host = peer
        host.port = 0
        datagrams.append(
            headerByteCount: headerByteCount, payload: payload, payloadByteCount: payloadByteCount,
            to: host, priority: priority, isUnheard: isUnheard)
    }

    mutating func appendFollowers(_ count: Int, from offset: UInt32, to peer: PeerAddress) {
        datagrams.appendFollowers(count, from: offset, to: peer)
    }

    mutating func flush(at now: Instant = MonotonicClock.process.now()) -> FlushResult { datagrams.flush(at: now) }
}
