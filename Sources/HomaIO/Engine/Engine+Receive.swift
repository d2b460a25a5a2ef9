// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import HomaPosix
internal import HomaWire

/// From a datagram to the region.
extension Engine {
    /// Cuts a train that the kernel joined into its packets.
    func takePackets(of datagram: ReceivedDatagram, from start: Int) {
        var offset = start
        let segment = datagram.segmentSize > 0 ? datagram.segmentSize : datagram.byteCount
        while offset < datagram.byteCount {
            let length = min(segment, datagram.byteCount - offset)
            let bytes = UnsafeRawBufferPointer(start: datagram.baseAddress + offset, count: length)
            if PacketBundle.isBundle(bytes) {
                takeBundle(bytes, from: datagram.source)
            } else if takePacket(bytes, from: datagram.source) {
                offset = takeFollowers(of: datagram, packet: offset, segment: segment)
            }
            offset += length
        }
    }

    /// Takes the packets that one datagram holds.
    private func takeBundle(_ bundle: UnsafeRawBufferPointer, from peer: PeerAddress) {
        state.pointee.counters.bundlesReceived &+= 1
        var position = PacketBundle.markByteCount
        do {
            while let packet = try PacketBundle.next(in: bundle, at: &position) {
                takePacket(packet, from: peer)
                state.pointee.endpoint.isInsideBundle = true
            }
        } catch {
            state.pointee.counters.malformedPackets[error.code] &+= 1
        }
        state.pointee.endpoint.isInsideBundle = false
    }

    /// Feeds one packet to the protocol and puts its payload where that says: the only copy in user space. True when
    /// bytes were stored and more of the message may follow.
    @inline(__always)
    @discardableResult
    func takePacket(_ packet: UnsafeRawBufferPointer, from peer: PeerAddress) -> Bool {
        let header: PacketHeader
        do {
            header = try PacketHeader.parse(packet)
        } catch {
            state.pointee.counters.malformedPackets[error.code] &+= 1
            return false
        }
        guard isOurs(header.common) else {
            passOn(packet, header.common, from: peer)
            return false
        }
        switch state.pointee.endpoint.receive(header, from: peer, at: state.pointee.now) {
        case .store(let place):
            let source = packet.baseAddress! + header.byteCount
            let base = region.memory.baseAddress
            state.pointee.counters.bytesCopied &+= UInt64(place.byteCount + place.secondByteCount)
            (base + place.regionOffset).copyMemory(from: source, byteCount: place.byteCount)
            if place.secondByteCount > 0 {
                (base + place.secondRegionOffset).copyMemory(
                    from: source + place.byteCount, byteCount: place.secondByteCount)
            }
            guard case .data(let data) = header.body else { return false }
            return data.offset + data.payloadLength < data.messageLength
        case .consumed, .dropped: return false
        }
    }

    /// Feeds a packet to the protocol whose payload lies where it belongs, if it belongs anywhere.
    @inline(__always)
    func takeInPlace(_ packet: UnsafeRawBufferPointer, from peer: PeerAddress) {
        guard let header = try? PacketHeader.parse(packet) else { return }
        if case .store(let place) = state.pointee.endpoint.receive(header, from: peer, at: state.pointee.now) {
            state.pointee.counters.bytesInPlace &+= UInt64(place.byteCount + place.secondByteCount)
        }
    }

    /// Believes a network error when the packet it quotes belongs to an RPC of ours.
    func take(_ error: DriverError) {
        guard let (rpc, offset) = error.withPayload({ Self.quotedPacket($0) }) else { return }
        let now = state.pointee.now
        if case .messageTooBig(let mtu) = error.kind {
            guard mtu > 0, let offset else { return }
            let headers = state.pointee.driver.headerBytes(to: error.peer)
            state.pointee.endpoint.packetRefused(
                by: error.peer, id: rpc, offset: offset, longest: mtu - headers, at: now)
        } else if let refusal = error.refusal {
            state.pointee.endpoint.unreachable(
                error.peer, because: refusal, offending: rpc, isFirst: offset == 0, at: now)
        }
    }

    /// Tells the protocol how long packets to `peer` may be.
    func learnMaximumPacket(for peer: PeerAddress) {
        if let mtu = configuration.fixedMTU ?? state.pointee.driver.pathMTU(to: peer) {
            // An IP packet of `mtu` bytes holds the IP header, the UDP header if any, and the Homa packet.
            let headers = state.pointee.driver.headerBytes(to: peer)
            state.pointee.endpoint.setMaximumPacket(bytes: mtu - headers, for: peer)
        }
    }

    /// The identifier in a quoted packet of ours, the first one of a bundle, and where a DATA packet begins in its
    /// message, if the quote goes that far.
    private static func quotedPacket(_ quote: UnsafeRawBufferPointer) -> (rpc: RPCID, offset: UInt32?)? {
        let before = PacketBundle.isBundle(quote) ? PacketBundle.markByteCount + PacketBundle.lengthByteCount : 0
        let bytes = UnsafeRawBufferPointer(rebasing: quote.dropFirst(before))
        guard bytes.count >= CommonHeader.byteCount else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { padded in
            padded.initializeMemory(as: UInt8.self, repeating: 0)
            padded.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(128)))
            guard let header = try? CommonHeader(parsing: padded.bytes) else { return nil }
            return (header.senderID, header.type == .data ? DataFields.quotedOffset(in: bytes) : nil)
        }
    }
}
