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
/// Used like a ``UDPDriver``, of which only trains and the busiest peer's socket are missing.
struct RawIPDriver: WaitingDriver, ~Copyable, @unchecked Sendable {
    /// The protocol number (IANA).
    static let protocolNumber: Int32 = 146

    let sockets: RawSockets
    let hijacked: HijackedSockets
    private let options: UDPSocketOptions
    private var poller: Poller
    /// The addresses of this host that packets came to, and the one without which the first packet is tried.
    var own: OwnAddresses
    var suspect: UInt16 = 0
    var sendQueue: SendQueue
    var receiveRing: ReceiveRing
    var reports = LocalReports()
    var ports = HostPorts()
    /// Of each of the sockets that are received from, in their order.
    var lastOverflows = InlineArray<4, UInt32>(repeating: 0)
    /// The socket that is looked at first next time.
    var nextSocket = 0
    var answers: AnswerLimit
    /// The address bound to, or all zero; without port.
    let localAddress: PeerAddress
    /// True when ``nextError()`` may have something to say.
    var mayHaveErrors = false
    /// What has happened so far.
    var statistics = UDPStatistics()

    /// Opens the sockets for the families that `options` ask for. Ports and offloads in them do not matter.
    ///
    /// - Throws: ``SystemError``: `EPERM` without `CAP_NET_RAW`, `EADDRNOTAVAIL`, or what the system says.
    init(_ options: UDPSocketOptions = UDPSocketOptions()) throws(SystemError) {
        try options.validate()
        let ring = try ReceiveRing(slotCount: options.receiveSlots, slotBytes: options.receiveSlotBytes)
        let sockets = try RawSockets(options)
        var poller = try Poller(socketDescriptor: sockets.ipv4 >= 0 ? sockets.ipv4 : sockets.ipv6)
        if sockets.ipv4 >= 0, sockets.ipv6 >= 0 { try poller.watch(sockets.ipv6) }
        let hijacked = try HijackedSockets(beside: sockets, options)
        for descriptor in [hijacked.ipv4, hijacked.ipv6] where descriptor >= 0 { try poller.watchAlso(descriptor) }
        localAddress = sockets.address
        let own = OwnAddresses()
        sendQueue = SendQueue(
            capacity: options.sendQueueCapacity, maximumTrainBytes: options.maximumTrainBytes,
            trafficClasses: options.trafficClasses, sources: own.entries)
        self.own = own
        self.options = options
        receiveRing = ring
        answers = AnswerLimit()
        self.poller = poller
        self.sockets = sockets
        self.hijacked = hijacked
    }

    static var sharesPorts: Bool { true }
    var isUsingGSO: Bool { false }
    var isUsingGRO: Bool { false }

    /// What ends a wait from any thread.
    var waker: Waker { poller.waker }

    var granted: GrantedOptions { sockets.granted }
    var shortfalls: [String] { sockets.granted.shortfalls(options) + sockets.calls.shortfalls }

    /// What packets of a family are sent by.
    func sender(isIPv4: Bool) -> homa_sender {
        homa_sender(
            fd: isIPv4 ? sockets.ipv4 : sockets.ipv6, family: isIPv4 ? AF_INET : AF_INET6, is_connected: 0,
            is_singly: sockets.calls.canSend ? 0 : 1, usual_traffic_class: options.usualTrafficClass)
    }

    func pathMTU(to peer: PeerAddress) -> Int? { lookUpPathMTU(to: peer) }

    mutating func wait(until limit: Instant, forRoom: Bool) -> Poller.Events {
        try? poller.setWantsWritable(forRoom)
        return (try? poller.wait(until: limit)) ?? []
    }

    /// Takes a Homa port for this node. Each port of a host belongs to one node at most.
    ///
    /// - Throws: `EADDRINUSE` when another node of this host has it.
    mutating func open(_ port: UInt16) throws(SystemError) { try ports.open(port) }

    /// Gives a port up; its packets are nobody's from now on.
    mutating func close(_ port: UInt16) { ports.close(port) }

    /// Takes the next report about packets sent earlier; nil when there is none now.
    mutating func nextError() -> DriverError? {
        while let record = nextRecord() {
            guard record.is_malformed == 0 else {
                statistics.malformedErrorReports += 1
                continue
            }
            let kind = DriverError.Kind(record)
            if Int32(record.origin) == errorOriginLocal { continue }
            statistics.errorReports += 1
            return DriverError(kind: kind, peer: Self.target(of: record), record: record)
        }
        guard let record = reports.removeFirst() else {
            mayHaveErrors = false
            return nil
        }
        statistics.errorReports += 1
        return DriverError(local: record, to: Self.target(of: record)) { lookUpPathMTU(to: $0) }
    }

    private func nextRecord() -> homa_socket_error? {
        var record = homa_socket_error()
        for descriptor in [sockets.ipv4, sockets.ipv6] where descriptor >= 0 {
            var code = homa_receive_error(descriptor, &record)
            while code == -EINTR { code = homa_receive_error(descriptor, &record) }
            if code == 0 { return record }
        }
        return nil
    }

    /// Where the packet that came back was going: the port is in its own header.
    private static func target(of record: homa_socket_error) -> PeerAddress {
        var peer = PeerAddress(record.peer)
        peer.port = record.payload_count >= 4 ? UInt16(record.payload.2) << 8 | UInt16(record.payload.3) : 0
        return peer
    }
}
