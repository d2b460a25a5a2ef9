// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix
internal import HomaWire

/// Packets waiting for a flush, already gathered into trains. Owns all memory that sending needs.
///
/// Three parallel orders, each filled from the front: packets, their iovec pieces, and trains. All
/// positions return to 0 when everything is sent, so nothing moves and nothing is allocated.
struct SendQueue: ~Copyable {
    /// Bytes of the longest header that the arena has room for; the longest Homa header is shorter.
    static let headerBytes = stride - headerOffset
    /// Bytes of one header's place in the arena, two cache lines, and before the header what a bundle needs.
    private static let stride = 128
    private static let headerOffset = 8
    /// The kernel's own limit is higher (UDP_MAX_SEGMENTS, 64 in older kernels).
    static let maximumTrainPackets: UInt32 = 64

    struct Packet {
        var firstPiece: UInt32
        var byteCount: UInt32
        var pieceCount: UInt32
    }

    /// What homa_outgoing does not say about a train.
    struct Train {
        var peer: PeerAddress
        var firstPacket: UInt32
        var packetCount: UInt32
        var byteCount: UInt32
        /// Size of every packet except a shorter last one.
        var packetBytes: UInt32
        var priority: UInt8
        /// No packet may follow: the last one is shorter, or the train must not be segmented.
        var isClosed: Bool
        /// The kernel refused the train; its packets go one by one.
        var isSingly = false
        /// One of its packets was refused even alone, so segmentation is not to blame.
        var hadRefusal = false
        /// Length of datagrams in which its packets may go together with others; 0: they go alone, or have been put
        /// together already.
        var bundleBytes: UInt32 = 0
        /// Packets appended to the queue before its first one.
        var sequence: UInt64 = 0
        /// Nothing was heard of the peer of late.
        var isUnheard = false
        /// When the kernel first had no room for it.
        var refusedSince: Instant?
    }

    let capacity: Int
    let maximumTrainBytes: UInt32
    /// By priority.
    private var trafficClasses: InlineArray<8, UInt8> = .init { UInt8($0) << 5 }
    /// What the numbers in peers' addresses stand for (``OwnAddresses``).
    let sources: UnsafeMutablePointer<homa_source>?
    let headers: UnsafeMutableRawPointer
    /// Two for each packet; after them, three for each in a bundle.
    let pieces: UnsafeMutablePointer<iovec>
    var packets: UnsafeMutablePointer<Packet>
    var trains: UnsafeMutablePointer<Train>
    var outgoing: UnsafeMutablePointer<homa_outgoing>
    /// Where the three are written anew when packets are put together.
    var spare: Spare
    /// Where a refused train is taken apart.
    let singles: UnsafeMutablePointer<homa_outgoing>

    /// Headers in the arena since it was empty.
    private var headerEnd = 0
    /// Where the next packet, its pieces, the next piece of a bundle and the next train go.
    var packetEnd = 0
    private var pieceEnd = 0
    var bundlePieceEnd: Int
    var trainEnd = 0
    /// The first train that has not left.
    var firstTrain = 0
    /// Trains that might share datagrams follow one another.
    var wantsBundles = false
    /// Packets appended and neither sent nor dropped.
    var queuedPackets = 0
    /// Packets appended ever.
    private(set) var appendedPackets: UInt64 = 0

    init(
        capacity: Int, maximumTrainBytes: Int, trafficClasses: [UInt8]? = nil,
        sources: UnsafeMutablePointer<homa_source>? = nil
    ) {
        if let trafficClasses { for priority in 0..<8 { self.trafficClasses[priority] = trafficClasses[priority] } }
        self.capacity = capacity
        self.sources = sources
        self.maximumTrainBytes = UInt32(maximumTrainBytes)
        headers = .allocate(byteCount: capacity * Self.stride, alignment: 64)
        pieces = .allocate(capacity: 5 * capacity)
        bundlePieceEnd = 2 * capacity
        spare = Spare(capacity: capacity)
        packets = .allocate(capacity: capacity)
        trains = .allocate(capacity: capacity)
        outgoing = .allocate(capacity: capacity)
        singles = .allocate(capacity: Int(Self.maximumTrainPackets))
        headers.initializeMemory(as: UInt8.self, repeating: 0, count: capacity * Self.stride)
    }

    deinit {
        headers.deallocate()
        pieces.deallocate()
        packets.deallocate()
        trains.deallocate()
        outgoing.deallocate()
        singles.deallocate()
        spare.deallocate()
    }

    var isFull: Bool { headerEnd == capacity }

    /// Packets that can be appended before the next flush.
    var room: Int { capacity - headerEnd }

    /// The next packet's header bytes.
    var nextHeader: UnsafeMutableRawBufferPointer {
        precondition(!isFull, "flush before the queue is full")
        return UnsafeMutableRawBufferPointer(start: nextHeaderPlace, count: Self.headerBytes)
    }

    private var nextHeaderPlace: UnsafeMutableRawPointer {
        headers + (headerEnd * Self.stride + Self.headerOffset)
    }

    mutating func append(
        headerByteCount: Int, payload: UnsafeRawPointer?, payloadByteCount: Int,
        to peer: PeerAddress, priority: UInt8, mayJoin: Bool, bundleBytes: UInt32 = 0, isUnheard: Bool = false
    ) {
        precondition(!isFull, "flush before the queue is full")
        precondition(headerByteCount > 0 && headerByteCount <= Self.headerBytes)
        precondition(payloadByteCount >= 0 && payloadByteCount <= 1 << 20 && (payload != nil || payloadByteCount == 0))
        precondition(priority < HomaLimits.priorityLevels)
        let byteCount = UInt32(headerByteCount + payloadByteCount)
        let firstPiece = pieceEnd
        pieces[pieceEnd] = iovec(iov_base: nextHeaderPlace, iov_len: headerByteCount)
        pieceEnd += 1
        if payloadByteCount > 0 {
            pieces[pieceEnd] = iovec(iov_base: UnsafeMutableRawPointer(mutating: payload), iov_len: payloadByteCount)
            pieceEnd += 1
        }
        let pieceCount = UInt32(pieceEnd - firstPiece)
        packets[packetEnd] = Packet(firstPiece: UInt32(firstPiece), byteCount: byteCount, pieceCount: pieceCount)
        if !joinLastTrain(
            byteCount: byteCount, pieceCount: pieceCount, to: peer, priority: priority, bundleBytes: bundleBytes)
        {
            openTrain(
                byteCount: byteCount, pieceCount: pieceCount, to: peer, priority: priority, mayJoin: mayJoin,
                bundleBytes: bundleBytes, isUnheard: isUnheard)
        }
        packetEnd += 1
        headerEnd += 1
        queuedPackets += 1
        appendedPackets += 1
    }

    /// Appends DATA packets that go on where the last one ended: each as long as it, with the next bytes of the
    /// payload, and the header advanced. The first of them begins at `offset` of its message.
    mutating func appendFollowers(_ count: Int, from offset: UInt32, mayJoin: Bool) {
        precondition(count <= room && queuedPackets > 0)
        let byteCount = packets[packetEnd - 1].byteCount
        let peer = trains[trainEnd - 1].peer
        let priority = trains[trainEnd - 1].priority
        let bundleBytes = trains[trainEnd - 1].bundleBytes
        let isUnheard = trains[trainEnd - 1].isUnheard
        var (header, payload) = (pieces[pieceEnd - 2], pieces[pieceEnd - 1])
        var next = offset
        for _ in 0..<count {
            header.iov_base = nextHeaderPlace
            header.iov_base!.copyMemory(from: header.iov_base! - Self.stride, byteCount: header.iov_len)
            PacketHeader.advance(header.iov_base!, to: next)
            payload.iov_base! += payload.iov_len
            next += UInt32(payload.iov_len)
            pieces[pieceEnd] = header
            pieces[pieceEnd + 1] = payload
            packets[packetEnd] = Packet(firstPiece: UInt32(pieceEnd), byteCount: byteCount, pieceCount: 2)
            pieceEnd += 2
            if !joinLastTrain(
                byteCount: byteCount, pieceCount: 2, to: peer, priority: priority, bundleBytes: bundleBytes)
            {
                openTrain(
                    byteCount: byteCount, pieceCount: 2, to: peer, priority: priority, mayJoin: mayJoin,
                    bundleBytes: bundleBytes, isUnheard: isUnheard)
            }
            packetEnd += 1
            headerEnd += 1
        }
        queuedPackets += count
        appendedPackets += UInt64(count)
    }

    private func joinLastTrain(
        byteCount: UInt32, pieceCount: UInt32, to peer: PeerAddress, priority: UInt8, bundleBytes: UInt32
    ) -> Bool {
        guard trainEnd > firstTrain else { return false }
        let train = trains + (trainEnd - 1)
        guard !train.pointee.isClosed, train.pointee.packetBytes >= byteCount,
            train.pointee.priority == priority, train.pointee.peer.isSameWay(as: peer),
            train.pointee.bundleBytes == bundleBytes,
            train.pointee.packetCount < Self.maximumTrainPackets,
            train.pointee.byteCount + byteCount <= maximumTrainBytes
        else { return false }
        train.pointee.packetCount += 1
        train.pointee.byteCount += byteCount
        train.pointee.isClosed = byteCount < train.pointee.packetBytes
        outgoing[trainEnd - 1].piece_count += pieceCount
        outgoing[trainEnd - 1].segment_size = UInt16(truncatingIfNeeded: train.pointee.packetBytes)
        return true
    }

    private mutating func openTrain(
        byteCount: UInt32, pieceCount: UInt32, to peer: PeerAddress, priority: UInt8, mayJoin: Bool,
        bundleBytes: UInt32, isUnheard: Bool
    ) {
        trains[trainEnd] = Train(
            peer: peer, firstPacket: UInt32(packetEnd), packetCount: 1, byteCount: byteCount,
            packetBytes: byteCount, priority: priority, isClosed: !mayJoin, bundleBytes: bundleBytes,
            sequence: appendedPackets, isUnheard: isUnheard)
        outgoing[trainEnd] = homa_outgoing(
            to: peer.shimAddress, pieces: pieces + (pieceEnd - Int(pieceCount)), source: source(of: peer),
            piece_count: pieceCount, segment_size: 0, traffic_class: trafficClasses[Int(priority)])
        if trainEnd > firstTrain, maySharePackets(trainEnd - 1, trainEnd) { wantsBundles = true }
        trainEnd += 1
    }

    /// Where packets to a peer leave from; nil: where the system says.
    @inline(__always)
    func source(of peer: PeerAddress) -> UnsafePointer<homa_source>? {
        guard peer.local != 0, let sources else { return nil }
        return UnsafePointer(sources + Int(peer.local))
    }

    /// How many packets were appended before the oldest that is still queued; all, when none is.
    var oldestQueued: UInt64 {
        var oldest = appendedPackets
        for train in firstTrain..<trainEnd { oldest = min(oldest, trains[train].sequence) }
        return oldest
    }

    /// Forgets everything when all trains are done, so that the next packets start at the front.
    mutating func rewindIfEmpty() {
        guard firstTrain == trainEnd else { return }
        headerEnd = 0
        packetEnd = 0
        pieceEnd = 0
        bundlePieceEnd = 2 * capacity
        trainEnd = 0
        firstTrain = 0
        wantsBundles = false
    }

    /// Lays the remaining packets of a refused train out as single messages; their number.
    func explode(_ train: Int) -> Int {
        let count = Int(trains[train].packetCount)
        for i in 0..<count {
            let packet = packets[Int(trains[train].firstPacket) + i]
            singles[i] = outgoing[train]
            singles[i].pieces = UnsafePointer(pieces + Int(packet.firstPiece))
            singles[i].piece_count = packet.pieceCount
            singles[i].segment_size = 0
        }
        return count
    }

    /// Takes `count` packets off the front of a train that goes singly; their bytes.
    mutating func dropFirst(_ count: Int, ofTrain train: Int) -> Int {
        var bytes = 0
        for _ in 0..<count {
            bytes += Int(packets[Int(trains[train].firstPacket)].byteCount)
            trains[train].firstPacket += 1
        }
        trains[train].packetCount -= UInt32(count)
        trains[train].byteCount -= UInt32(bytes)
        queuedPackets -= count
        return bytes
    }
}
