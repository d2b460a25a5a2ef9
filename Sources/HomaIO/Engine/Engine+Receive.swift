// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import HomaWire

/// From the socket to the region.
extension Engine {
    /// Takes one batch of datagrams. True when there was any.
    func receiveBatch() -> Bool {
        let count = state.pointee.driver.receive()
        guard count > 0 else { return false }
        for index in 0..<count { takeDatagram(state.pointee.driver.datagram(index)) }
        return true
    }

    /// Cuts a train that the kernel joined into its packets.
    private func takeDatagram(_ datagram: ReceivedDatagram) {
        var offset = 0
        let segment = datagram.segmentSize > 0 ? datagram.segmentSize : datagram.byteCount
        while offset < datagram.byteCount {
            let length = min(segment, datagram.byteCount - offset)
            takePacket(
                UnsafeRawBufferPointer(start: datagram.baseAddress + offset, count: length), from: datagram.source)
            offset += length
        }
    }

    /// Feeds one packet to the protocol and puts its payload where that says: the only copy in user space.
    @inline(__always)
    private func takePacket(_ packet: UnsafeRawBufferPointer, from peer: PeerAddress) {
        let header: PacketHeader
        do {
            header = try PacketHeader.parse(packet)
        } catch {
            state.pointee.counters.malformedPackets[error.code] &+= 1
            return
        }
        switch state.pointee.endpoint.receive(header, from: peer, at: state.pointee.now) {
        case .store(let place):
            let source = packet.baseAddress! + header.byteCount
            let base = region.memory.baseAddress
            (base + place.regionOffset).copyMemory(from: source, byteCount: place.byteCount)
            if place.secondByteCount > 0 {
                (base + place.secondRegionOffset).copyMemory(
                    from: source + place.byteCount, byteCount: place.secondByteCount)
            }
        case .consumed, .dropped: break
        }
    }

    /// Believes a network error when the packet it returns belongs to an RPC of ours.
    func takeNetworkErrors() {
        while let error = state.pointee.driver.nextError() {
            let header = error.withPayload { Self.offendingHeader($0) }
            switch error.kind {
            case .portUnreachable: report(error.peer, .portUnreachable, header)
            case .hostUnreachable: report(error.peer, .hostUnreachable, header)
            case .messageTooBig(let mtu):
                if mtu > 0, header != nil { setMaximumPacket(mtu: mtu, for: error.peer) }
            case .other: break
            }
        }
    }

    private func report(_ peer: PeerAddress, _ failure: RPCFailure, _ header: PacketHeader?) {
        guard let header else { return }
        state.pointee.endpoint.unreachable(peer, failure: failure, offending: header, at: state.pointee.now)
    }

    /// Error reports return only the first bytes of a packet, perhaps less than its header or its
    /// payload: what is missing is taken to be zero.
    private static func offendingHeader(_ bytes: UnsafeRawBufferPointer) -> PacketHeader? {
        if let header = try? PacketHeader.parse(bytes) { return header }
        guard bytes.count >= CommonHeader.byteCount else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { padded in
            padded.initializeMemory(as: UInt8.self, repeating: 0)
            padded.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(128)))
            return try? PacketHeader.parse(UnsafeRawBufferPointer(padded))
        }
    }
}
