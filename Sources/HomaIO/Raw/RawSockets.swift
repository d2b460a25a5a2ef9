// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

/// One raw socket for each family, used as one; an IPv6 one does not serve IPv4.
struct RawLane: DatagramLane {
    /// Descriptors, or -1.
    let ipv4: Int32
    let ipv6: Int32
    private let calls: BatchCalls
    private let usualClass: UInt8
    private unowned let sockets: RawSockets
    var peer: PeerAddress? { nil }
    var lastOverflowCount: UInt32 = 0
    var isIdle = true

    fileprivate init(_ pair: RawSockets.Pair, of sockets: RawSockets, usualClass: UInt8) {
        ipv4 = pair.ipv4
        ipv6 = pair.ipv6
        calls = sockets.calls
        self.sockets = sockets
        self.usualClass = usualClass
    }

    /// Takes the messages in front that are of one family.
    func send(_ messages: UnsafePointer<homa_outgoing>, _ count: Int) -> Int32 {
        let isIPv4 = PeerAddress(messages[0].to).isIPv4
        var end = 1
        while end < count, PeerAddress(messages[end].to).isIPv4 == isIPv4 { end += 1 }
        let descriptor = isIPv4 ? ipv4 : ipv6
        guard descriptor >= 0 else { return -EAFNOSUPPORT }
        let sender = homa_sender(
            fd: descriptor, family: isIPv4 ? AF_INET : AF_INET6, is_connected: 0, is_singly: calls.canSend ? 0 : 1,
            usual_traffic_class: usualClass)
        let sent = withUnsafePointer(to: sender) { homa_send($0, messages, UInt32(end)) }
        if sent == -EAGAIN { sockets.full = descriptor }
        return sent
    }

    /// Packets of one family; IPv4's come with their IP headers.
    func receive(_ slots: UnsafeMutablePointer<homa_incoming>, _ count: Int) -> Int32 {
        sockets.isIPv6First.toggle()
        let (first, second) = sockets.isIPv6First ? (ipv6, ipv4) : (ipv4, ipv6)
        let result = receive(from: first, slots, count)
        return result == -EAGAIN ? receive(from: second, slots, count) : result
    }

    private func receive(from descriptor: Int32, _ slots: UnsafeMutablePointer<homa_incoming>, _ count: Int) -> Int32 {
        descriptor < 0 ? -EAGAIN : homa_receive(descriptor, slots, UInt32(count), calls.canReceive ? 0 : 1)
    }

    /// Where a packet's payload begins is not known before it is here.
    func receive(
        into pieces: UnsafePointer<iovec>, _ count: Int, _ slot: UnsafeMutablePointer<homa_incoming>
    ) -> Int32 { -EOPNOTSUPP }

    func receiveError(_ record: inout homa_socket_error) -> Int32 {
        let result = ipv4 < 0 ? -EAGAIN : homa_receive_error(ipv4, &record)
        return result == -EAGAIN && ipv6 >= 0 ? homa_receive_error(ipv6, &record) : result
    }
}

/// What carries IP protocol 146, and hijacked TCP if that is asked for: a raw socket for each family of each, and what
/// a thread sleeps on for all of them.
///
/// Hijacked TCP is for packets of hosts that send theirs as TCP (`hijack_tcp` of the kernel module). A filter leaves
/// all other TCP to the system, whose own sees the packets as well: they are marked SYN and RST, to which it never
/// answers. Nothing is sent by these sockets, since the kernel module takes protocol 146 whatever it sends.
final class RawSockets: DatagramSockets {
    /// The address bound to, or all zero; without port.
    let localAddress: PeerAddress
    /// What the system granted the first socket.
    let granted: GrantedOptions
    fileprivate let calls: BatchCalls
    private let options: UDPSocketOptions
    private let isDualStack: Bool
    private let ours: Pair
    private let tcp: Pair?
    private var owned: [Int32]
    fileprivate(set) var poller: Poller
    /// The socket that had no room last.
    fileprivate var full: Int32 = -1
    /// Families take turns in being received from first.
    fileprivate var isIPv6First = false

    /// Descriptors, or -1.
    struct Pair {
        var ipv4: Int32 = -1
        var ipv6: Int32 = -1

        var open: [Int32] { [ipv4, ipv6].filter { $0 >= 0 } }
    }

    init(_ options: UDPSocketOptions) throws(SystemError) {
        var bound: PeerAddress?
        var isDualStack = false
        switch options.binding {
        case .address(let address):
            bound = address
            bound?.port = 0
        case .wildcard(_, let family): isDualStack = family == .automatic && isIPv6Available
        }
        var (granted, calls) = (GrantedOptions(), BatchCalls?.none)
        let ours = try Self.openPair(RawIPDriver.protocolNumber, at: bound, isDualStack) { socket in
            let result = socket.prepare(options, reportsTarget: bound == nil, isUDP: false)
            guard calls == nil else { return }
            (granted, calls) = (result, BatchCalls(socket, options))
        }
        var owned = ours.open
        var tcp: Pair?
        do throws(SystemError) {
            if options.takesHijackedTCP {
                let pair = try Self.openPair(Int32(IPPROTO_TCP), at: bound, isDualStack) { socket throws(SystemError) in
                    try SystemError.check(
                        homa_filter_hijacked(socket.descriptor, socket.family == AF_INET ? 1 : 0), "setsockopt",
                        "SO_ATTACH_FILTER")
                    _ = socket.prepare(options, reportsTarget: bound == nil, isUDP: false)
                }
                owned += pair.open
                tcp = pair
            }
            poller = try Poller(socketDescriptor: owned[0])
            for descriptor in owned.dropFirst() { try poller.watchAlso(descriptor) }
        } catch {
            for descriptor in owned { close(descriptor) }
            throw error
        }
        localAddress = bound ?? PeerAddress(high: 0, low: isDualStack ? 0 : 0xFFFF_0000_0000, port: 0)
        self.granted = granted
        self.calls = calls!
        self.options = options
        self.isDualStack = isDualStack
        self.ours = ours
        self.tcp = tcp
        self.owned = owned
    }

    deinit { for descriptor in owned { close(descriptor) } }

    var main: RawLane { lane(ours) }
    /// What takes hijacked TCP, if that is wanted.
    var hijacked: RawLane? { tcp.map { lane($0) } }
    var shortfalls: [String] { granted.shortfalls(options) + calls.shortfalls }

    private func lane(_ pair: Pair) -> RawLane { RawLane(pair, of: self, usualClass: options.usualTrafficClass) }

    /// Nobody's packets can be told from others' before they have come.
    func connect(to peer: PeerAddress, from address: PeerAddress?) -> RawLane? { nil }
    func disconnect() {}

    func openSender(isWatched: Bool) -> RawLane? {
        let bound: PeerAddress? = if case .address = options.binding { localAddress } else { nil }
        let pair = try? Self.openPair(RawIPDriver.protocolNumber, at: bound, isDualStack) {
            socket throws(SystemError) in
            _ = socket.prepare(options, reportsTarget: false, isUDP: false)
            try SystemError.check(homa_reject_everything(socket.descriptor), "setsockopt", "SO_ATTACH_FILTER")
        }
        guard let pair else { return nil }
        owned += pair.open
        guard isWatched else { return lane(pair) }
        for descriptor in pair.open { guard (try? poller.watchAlso(descriptor)) != nil else { return nil } }
        return lane(pair)
    }

    func pathMTU(to peer: PeerAddress) -> Int? { lookUpPathMTU(to: peer) }

    /// The port is in the header of the packet that came back.
    func target(of record: homa_socket_error) -> PeerAddress {
        var peer = PeerAddress(record.peer)
        peer.port = record.payload_count >= 4 ? UInt16(record.payload.2) << 8 | UInt16(record.payload.3) : 0
        return peer
    }

    func wait(until limit: Instant, forRoom: Bool) -> Poller.Events {
        var limit = limit
        do throws(SystemError) { try poller.waitForRoom(in: forRoom && full >= 0 ? full : nil) } catch {
            // Of the sockets that only send not all are watched.
            limit = min(limit, MonotonicClock.process.now().advanced(byNanoseconds: 1_000_000))
        }
        return (try? poller.wait(until: limit)) ?? []
    }

    /// Opens a socket for the family that `address` is of, or for all that there are; `prepare` is done with each.
    private static func openPair(
        _ ipProtocol: Int32, at address: PeerAddress?, _ isDualStack: Bool,
        _ prepare: (borrowing UDPSocket) throws(SystemError) -> Void
    ) throws(SystemError) -> Pair {
        var pair = Pair()
        do throws(SystemError) {
            if address?.isIPv4 != false { pair.ipv4 = try open(AF_INET, ipProtocol, address, prepare) }
            if address?.isIPv4 == false || address == nil && isDualStack {
                pair.ipv6 = try open(AF_INET6, ipProtocol, address, prepare)
            }
        } catch {
            for descriptor in pair.open { close(descriptor) }
            throw error
        }
        return pair
    }

    private static func open(
        _ family: Int32, _ ipProtocol: Int32, _ address: PeerAddress?,
        _ prepare: (borrowing UDPSocket) throws(SystemError) -> Void
    ) throws(SystemError) -> Int32 {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = try SystemError.checkErrno(
            Glibc.socket(family, type, ipProtocol), "socket",
            "IP protocol \(ipProtocol); raw sockets need CAP_NET_RAW")
        let socket = UDPSocket(owning: descriptor, family: family)
        try prepare(socket)
        if let address { try socket.bind(to: address) }
        return socket.release()
    }
}
