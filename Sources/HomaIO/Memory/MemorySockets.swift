// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix

/// A driver over sockets in memory: all of ``DatagramDriver`` but the system.
typealias MemoryDriver = DatagramDriver<MemorySockets>

/// A host's UDP port on a ``MemoryNetwork``, and what its system knows and can do.
final class MemoryPort {
    var address: PeerAddress
    /// Longest IP packet of its link.
    let linkMTU: Int
    /// The system takes no trains.
    var refusesTrains: Bool
    /// Bytes that a socket holds of what has arrived, and of what has not left.
    let socketBytes: Int
    let sendBytes: Int
    fileprivate var sockets: [MemorySockets.Reference] = []
    /// What routers said.
    fileprivate var pathMTUs: [PeerAddress: Int] = [:]
    /// Until when packets to a destination are refused, and with which error.
    var refusals: [PeerAddress: (end: Instant, code: Int32)] = [:]
    /// What arrives now, before it is known what can be joined.
    private var gathered: [Arrival] = []

    init(
        address: PeerAddress, linkMTU: Int = 1500, refusesTrains: Bool = false, socketBytes: Int = 8 << 20,
        sendBytes: Int = 8 << 20
    ) {
        self.address = address
        self.linkMTU = linkMTU
        self.refusesTrains = refusesTrains
        self.socketBytes = socketBytes
        self.sendBytes = sendBytes
    }

    /// False before the first socket is there and when the last one has gone.
    var isOpen: Bool { sockets.contains { $0.value != nil } }

    func mtu(to peer: PeerAddress) -> Int { min(linkMTU, pathMTUs[peer] ?? .max) }

    /// True when the packet was joined to one before.
    func gather(_ arrival: Arrival, joins: Bool) -> Bool {
        // As the system does, look at the last packet of the sender only, so that none overtakes another.
        if joins, let last = gathered.lastIndex(where: { $0.source == arrival.source }), gathered[last].join(arrival) {
            return true
        }
        gathered.append(arrival)
        return false
    }

    /// Gives what was gathered to the sockets that it belongs to; how much found no room.
    func hand() -> Int {
        var lost = 0
        for arrival in gathered {
            let shard = arrival.bytes.withUnsafeBytes { ShardSteering.shard(of: $0, count: sockets.count) }
            // A socket that is closed leaves its number to none; the system would have moved the last one there.
            if sockets[shard].value?.take(arrival) != true { lost += 1 }
        }
        gathered = []
        return lost
    }
}

/// A socket's send buffer.
final class MemoryRoom {
    /// No packet can leave before.
    var fullUntil = Instant.zero
    /// Of packets that have not left.
    var heldBytes = 0
}

/// One of the sockets that share a ``MemoryPort``. It is closed when nobody holds it any more.
final class MemorySockets: DatagramSockets {
    /// Does not keep the socket open.
    struct Reference {
        weak var value: MemorySockets?
    }

    let network: MemoryNetwork
    let port: MemoryPort
    /// Called when something has arrived, or when there is room again.
    var onNews: () -> Void = {}
    private let mainRoom = MemoryRoom()
    private var arrivals: [Arrival] = []
    private var heldBytes = 0
    private var errors: [homa_socket_error] = []
    /// What the next call answers in place of its own result.
    private var pendingError: Int32 = 0
    private var overflows: UInt32 = 0

    init(_ network: MemoryNetwork, _ port: MemoryPort) {
        self.network = network
        self.port = port
        port.sockets.append(Reference(value: self))
    }

    var reference: Reference { Reference(value: self) }
    var localAddress: PeerAddress { port.address }
    var main: MemoryLane { MemoryLane(sockets: self, room: mainRoom) }
    var granted: GrantedOptions {
        GrantedOptions(receiveBufferBytes: port.socketBytes, sendBufferBytes: port.sendBytes / 2, isUsingGRO: true)
    }
    var shortfalls: [String] { [] }

    /// A host in memory gains nothing by it.
    func connect(to peer: PeerAddress, from address: PeerAddress?) -> MemoryLane? { nil }
    func disconnect() {}
    func openSender(isWatched: Bool) -> MemoryLane? { MemoryLane(sockets: self, room: MemoryRoom()) }
    func pathMTU(to peer: PeerAddress) -> Int? { port.mtu(to: peer) }

    /// What a thread that waits for the socket would be told.
    var events: Poller.Events {
        var events: Poller.Events = []
        if !arrivals.isEmpty { events.insert(.readable) }
        if !errors.isEmpty { events.insert(.error) }
        return events
    }

    func noteNews() { onNews() }

    /// Packets, or trains of them, that nobody has taken yet.
    var waitingArrivals: Int { arrivals.count }

    func take(_ arrival: Arrival) -> Bool {
        guard heldBytes + arrival.bytes.count <= port.socketBytes else {
            overflows &+= 1
            return false
        }
        heldBytes += arrival.bytes.count
        arrivals.append(arrival)
        onNews()
        return true
    }

    func take(_ record: homa_socket_error) {
        if Int32(bitPattern: record.code) == EMSGSIZE { port.pathMTUs[PeerAddress(record.peer)] = Int(record.info) }
        pendingError = Int32(bitPattern: record.code)
        if errors.count < 64 { errors.append(record) }
        onNews()
    }

    fileprivate func takePendingError() -> Int32 {
        defer { pendingError = 0 }
        return pendingError
    }

    fileprivate func removeError() -> homa_socket_error? { errors.isEmpty ? nil : errors.removeFirst() }

    fileprivate func removeArrival() -> Arrival? {
        guard !arrivals.isEmpty else { return nil }
        let arrival = arrivals.removeFirst()
        heldBytes -= arrival.bytes.count
        return arrival
    }

    /// Says in a slot what has been received.
    fileprivate func describe(_ arrival: Arrival, capacity: Int, in slot: UnsafeMutablePointer<homa_incoming>) {
        slot.pointee.byte_count = UInt32(min(arrival.bytes.count, capacity))
        slot.pointee.segment_size = UInt32(min(arrival.segment, capacity))
        slot.pointee.is_truncated = arrival.bytes.count > capacity ? 1 : 0
        slot.pointee.from = arrival.source.shimAddress
        slot.pointee.traffic_class = arrival.trafficClass
        slot.pointee.has_overflow_count = overflows > 0 ? 1 : 0
        slot.pointee.overflow_count = overflows
    }
}

/// A socket in memory, with the answers of the system's calls.
struct MemoryLane: DatagramLane {
    let sockets: MemorySockets
    let room: MemoryRoom
    var peer: PeerAddress? { nil }
    var lastOverflowCount: UInt32 = 0
    var isIdle = true

    init(sockets: MemorySockets, room: MemoryRoom) {
        self.sockets = sockets
        self.room = room
    }

    func send(_ messages: UnsafePointer<homa_outgoing>, _ count: Int) -> Int32 {
        let error = sockets.takePendingError()
        guard error == 0 else { return -error }
        for index in 0..<count {
            let code = sockets.network.take(messages[index], from: sockets, room)
            guard code == 0 else { return index > 0 ? Int32(index) : -code }
        }
        return Int32(count)
    }

    func receive(_ slots: UnsafeMutablePointer<homa_incoming>, _ count: Int) -> Int32 {
        let error = sockets.takePendingError()
        guard error == 0 else { return -error }
        var filled = 0
        while filled < count, let arrival = sockets.removeArrival() {
            let slot = slots + filled
            let capacity = Int(slot.pointee.capacity)
            let room = UnsafeMutableRawBufferPointer(start: slot.pointee.base, count: capacity)
            room.copyBytes(from: arrival.bytes.prefix(capacity))
            sockets.describe(arrival, capacity: capacity, in: slot)
            filled += 1
        }
        return filled > 0 ? Int32(filled) : -EAGAIN
    }

    func receive(
        into pieces: UnsafePointer<iovec>, _ count: Int, _ slot: UnsafeMutablePointer<homa_incoming>
    ) -> Int32 {
        let error = sockets.takePendingError()
        guard error == 0 else { return -error }
        guard let arrival = sockets.removeArrival() else { return -EAGAIN }
        var done = 0
        for piece in UnsafeBufferPointer(start: pieces, count: count) {
            let part = arrival.bytes[done..<min(done + piece.iov_len, arrival.bytes.count)]
            UnsafeMutableRawBufferPointer(start: piece.iov_base, count: piece.iov_len).copyBytes(from: part)
            done += part.count
        }
        sockets.describe(arrival, capacity: done, in: slot)
        return 1
    }

    func receiveError(_ record: inout homa_socket_error) -> Int32 {
        guard let next = sockets.removeError() else { return -EAGAIN }
        record = next
        return 0
    }
}
