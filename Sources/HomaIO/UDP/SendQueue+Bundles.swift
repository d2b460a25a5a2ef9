// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase
internal import HomaPosix
internal import HomaWire

/// Puts packets of many lengths together, so that they leave as one train.
///
/// A train's packets all have one length, which those of short messages do not, and each train takes its way through
/// the network stack: three microseconds for a hundred bytes. Bundles (see ``PacketBundle``) are all as long as the
/// path allows, if need be with padding, like the packets of long messages, and so share their trains.
extension SendQueue {
    /// Memory to write packets and trains anew.
    struct Spare {
        var packets: UnsafeMutablePointer<Packet>
        var trains: UnsafeMutablePointer<Train>
        var outgoing: UnsafeMutablePointer<homa_outgoing>
        /// As much padding as there can be.
        let zeros: UnsafeMutableRawPointer

        static let zeroCount = 1 << 16

        init(capacity: Int) {
            packets = .allocate(capacity: capacity)
            trains = .allocate(capacity: capacity)
            outgoing = .allocate(capacity: capacity)
            zeros = .allocate(byteCount: Self.zeroCount, alignment: 64)
            zeros.initializeMemory(as: UInt8.self, repeating: 0, count: Self.zeroCount)
        }

        func deallocate() {
            packets.deallocate()
            trains.deallocate()
            outgoing.deallocate()
            zeros.deallocate()
        }
    }

    /// The kernel takes 1024 pieces at a time.
    private static var maximumPieces: Int { 1000 }
    /// Before a packet in a bundle.
    private static var lengthBytes: Int { PacketBundle.lengthByteCount }
    /// Before the first one.
    private static var markBytes: Int { PacketBundle.markByteCount + PacketBundle.lengthByteCount }

    /// Whether two trains that follow one another may share datagrams, and would gain by it: those of whole packets of
    /// a long message are complete as they are.
    func maySharePackets(_ first: Int, _ second: Int) -> Bool {
        let bundle = trains[first].bundleBytes
        return bundle > 0 && bundle == trains[second].bundleBytes && trains[first].priority == trains[second].priority
            && (trains[first].packetBytes < bundle || trains[second].packetBytes < bundle)
            && trains[first].peer.isSameWay(as: trains[second].peer)
    }

    /// Puts packets that may go together into bundles, and bundles into trains; how many packets that is.
    ///
    /// - Parameter mayJoin: whether the kernel takes trains for such a peer.
    mutating func bundlePackets(mayJoin: (PeerAddress) -> Bool) -> Int {
        guard wantsBundles else { return 0 }
        wantsBundles = false
        var writer = Writer()
        var index = firstTrain
        while index < trainEnd {
            let end = endOfGroup(from: index)
            if end - index > 1 {
                bundle(index..<end, mayJoin: mayJoin(trains[index].peer), &writer)
            } else {
                copy(index, &writer)
            }
            index = end
        }
        swap(&packets, &spare.packets)
        swap(&trains, &spare.trains)
        swap(&outgoing, &spare.outgoing)
        firstTrain = 0
        trainEnd = writer.trainEnd
        packetEnd = writer.packetEnd
        return writer.bundled
    }

    /// How far the new packets and trains have come, and the bundle and the train that are not complete.
    private struct Writer {
        var packetEnd = 0
        var trainEnd = 0
        /// Packets in bundles.
        var bundled = 0
        /// Packets of the open train, and pieces since it began.
        var segments = 0
        var firstPiece = 0
        var byteCount = 0
        /// The open bundle's packets, bytes with all that goes before packets, and first piece.
        var entries = 0
        var used = 0
        var bundlePiece = 0
    }

    /// Trains whose packets may share datagrams; more than one train, or else it stays as it is.
    private func endOfGroup(from start: Int) -> Int {
        var end = start + 1
        guard isFitForBundle(start) else { return end }
        while end < trainEnd, isFitForBundle(end), trains[end].bundleBytes == trains[start].bundleBytes,
            trains[end].priority == trains[start].priority, trains[end].peer.isSameWay(as: trains[start].peer)
        {
            end += 1
        }
        return end
    }

    /// Packets of which less than four fit a bundle would leave room in it, and are better off in a train of their own
    /// if there are several of a length.
    private func isFitForBundle(_ train: Int) -> Bool {
        let bytes = trains[train].packetBytes
        let bundle = trains[train].bundleBytes
        return bundle > 0 && !trains[train].isSingly
            && (trains[train].packetCount == 1 || bytes <= bundle / 4 || bytes == bundle)
    }

    private mutating func copy(_ train: Int, _ writer: inout Writer) {
        spare.trains[writer.trainEnd] = trains[train]
        spare.trains[writer.trainEnd].firstPacket = UInt32(writer.packetEnd)
        spare.outgoing[writer.trainEnd] = outgoing[train]
        let first = Int(trains[train].firstPacket)
        let count = Int(trains[train].packetCount)
        (spare.packets + writer.packetEnd).update(from: packets + first, count: count)
        writer.packetEnd += count
        writer.trainEnd += 1
    }

    private mutating func bundle(_ group: Range<Int>, mayJoin: Bool, _ writer: inout Writer) {
        let limit = Int(trains[group.lowerBound].bundleBytes)
        beginTrain(&writer)
        for train in group {
            let first = Int(trains[train].firstPacket)
            for index in first..<first + Int(trains[train].packetCount) {
                let packet = packets[index]
                let length = Int(packet.byteCount)
                if writer.entries > 0, length + Self.lengthBytes > limit - writer.used {
                    closeBundle(of: group.lowerBound, limit, goesOn: mayJoin, &writer)
                }
                if length + Self.markBytes <= limit {
                    addToBundle(packet, &writer)
                } else {
                    addAlone(packet, of: group.lowerBound, goesOn: mayJoin && length == limit, &writer)
                }
            }
        }
        closeBundle(of: group.lowerBound, limit, goesOn: false, &writer)
        endTrain(like: group.lowerBound, &writer)
    }

    private mutating func addToBundle(_ packet: Packet, _ writer: inout Writer) {
        let isFirst = writer.entries == 0
        if isFirst { writer.bundlePiece = bundlePieceEnd }
        var header = pieces[Int(packet.firstPiece)]
        let before = isFirst ? Self.markBytes : Self.lengthBytes
        PacketBundle.writeLength(UInt16(packet.byteCount), to: header.iov_base! - Self.lengthBytes)
        header.iov_base! -= before
        header.iov_len += before
        if isFirst { PacketBundle.writeMark(to: header.iov_base!) }
        addPiece(header)
        if packet.pieceCount > 1 { addPiece(pieces[Int(packet.firstPiece) + 1]) }
        writer.entries += 1
        writer.used += before + Int(packet.byteCount)
    }

    private mutating func addPiece(_ piece: iovec) {
        pieces[bundlePieceEnd] = piece
        bundlePieceEnd += 1
    }

    /// Ends the open bundle. If the train goes on it is filled up, unless that would be more than a quarter of it.
    private mutating func closeBundle(of train: Int, _ limit: Int, goesOn: Bool, _ writer: inout Writer) {
        guard writer.entries > 0 else { return }
        let padding = limit - writer.used
        let isFilled = goesOn && padding <= limit / 4
        if isFilled {
            if padding > 0 { addPiece(iovec(iov_base: spare.zeros, iov_len: padding)) }
            writer.used = limit
        } else if writer.entries == 1 {
            // Alone, and with nothing behind it, a packet needs no bundle.
            let piece = pieces + writer.bundlePiece
            piece.pointee.iov_base! += Self.markBytes
            piece.pointee.iov_len -= Self.markBytes
            writer.used -= Self.markBytes
        }
        if writer.entries > 1 || isFilled { writer.bundled += writer.entries }
        queuedPackets -= writer.entries - 1
        let packet = Packet(
            firstPiece: UInt32(writer.bundlePiece), byteCount: UInt32(writer.used),
            pieceCount: UInt32(bundlePieceEnd - writer.bundlePiece))
        writer.entries = 0
        writer.used = 0
        add(packet, of: train, goesOn: isFilled, &writer)
    }

    /// A packet that is as long as a bundle, or nearly.
    private mutating func addAlone(_ packet: Packet, of train: Int, goesOn: Bool, _ writer: inout Writer) {
        let first = bundlePieceEnd
        for piece in 0..<Int(packet.pieceCount) { addPiece(pieces[Int(packet.firstPiece) + piece]) }
        add(
            Packet(firstPiece: UInt32(first), byteCount: packet.byteCount, pieceCount: packet.pieceCount), of: train,
            goesOn: goesOn, &writer)
    }

    /// Puts a datagram into the open train; the train ends with it unless it goes on.
    private mutating func add(_ packet: Packet, of train: Int, goesOn: Bool, _ writer: inout Writer) {
        let isFull =
            writer.segments == Int(Self.maximumTrainPackets)
            || writer.byteCount + Int(packet.byteCount) > Int(maximumTrainBytes)
            || Int(packet.firstPiece + packet.pieceCount) - writer.firstPiece > Self.maximumPieces
        if isFull, writer.segments > 0 {
            endTrain(like: train, &writer)
            writer.firstPiece = Int(packet.firstPiece)
        }
        spare.packets[writer.packetEnd] = packet
        writer.packetEnd += 1
        writer.segments += 1
        writer.byteCount += Int(packet.byteCount)
        if !goesOn { endTrain(like: train, &writer) }
    }

    private func beginTrain(_ writer: inout Writer) {
        writer.segments = 0
        writer.byteCount = 0
        writer.firstPiece = bundlePieceEnd
    }

    private mutating func endTrain(like train: Int, _ writer: inout Writer) {
        guard writer.segments > 0 else { return }
        let first = writer.packetEnd - writer.segments
        let last = spare.packets[writer.packetEnd - 1]
        let packetBytes = spare.packets[first].byteCount
        spare.trains[writer.trainEnd] = Train(
            peer: trains[train].peer, firstPacket: UInt32(first), packetCount: UInt32(writer.segments),
            byteCount: UInt32(writer.byteCount), packetBytes: packetBytes, priority: trains[train].priority,
            isClosed: true, sequence: trains[train].sequence, isUnheard: trains[train].isUnheard)
        spare.outgoing[writer.trainEnd] = outgoing[train]
        spare.outgoing[writer.trainEnd].pieces = UnsafePointer(pieces + writer.firstPiece)
        spare.outgoing[writer.trainEnd].piece_count = last.firstPiece + last.pieceCount - UInt32(writer.firstPiece)
        spare.outgoing[writer.trainEnd].segment_size = writer.segments > 1 ? UInt16(packetBytes) : 0
        writer.trainEnd += 1
        beginTrain(&writer)
    }
}
