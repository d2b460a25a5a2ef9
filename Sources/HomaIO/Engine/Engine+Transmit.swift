// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore
internal import HomaWire

/// From the protocol to the socket.
extension Engine {
    /// Sends what may leave now, at most one round's worth. True when any packet was taken.
    func transmit() -> Bool {
        guard flushBacklog() else { return false }
        var count = 0
        while count < configuration.packetsPerRound, !state.pointee.driver.isFull,
            let packet = state.pointee.endpoint.nextPacket(at: state.pointee.now)
        {
            append(packet)
            count += 1
        }
        guard count > 0 else { return false }
        flush()
        return true
    }

    @inline(__always)
    private func append(_ packet: OutgoingPacket) {
        let length = packet.header.write(into: state.pointee.driver.reserveHeader())
        let payload = packet.payloadLength > 0 ? state.pointee.sends[packet.payload].base + packet.payloadOffset : nil
        state.pointee.driver.append(
            headerByteCount: length, payload: payload, payloadByteCount: packet.payloadLength, to: packet.peer,
            priority: packet.priority)
    }

    /// Tries again to send what the kernel had no room for. True when nothing is left.
    private func flushBacklog() -> Bool {
        guard state.pointee.driver.queuedPackets > 0 else { return true }
        flush()
        return state.pointee.driver.queuedPackets == 0
    }

    private func flush() {
        let result = state.pointee.driver.flush()
        state.pointee.backlog = result.remainder
        if state.pointee.driver.mayHaveErrors { takeNetworkErrors() }
    }

    /// Tells the protocol how long packets to `peer` may be.
    func learnMaximumPacket(for peer: PeerAddress) {
        if let mtu = configuration.fixedMTU {
            setMaximumPacket(mtu: mtu, for: peer)
        } else if let mtu = state.pointee.driver.pathMTU(to: peer) {
            setMaximumPacket(mtu: mtu, for: peer)
        }
    }

    /// An IP packet of `mtu` bytes holds the IP header (20 or 40 bytes), the UDP header (8) and the Homa packet.
    func setMaximumPacket(mtu: Int, for peer: PeerAddress) {
        state.pointee.endpoint.setMaximumPacket(bytes: mtu - (peer.isIPv4 ? 28 : 48), for: peer)
    }
}
