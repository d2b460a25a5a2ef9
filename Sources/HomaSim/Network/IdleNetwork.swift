// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// The best possible time of a message: what every slowdown is measured against.
///
/// It is the time from handing the message over until its last byte is with the receiving transport, on a network
/// with nothing else in it, when the sender transmits all packets back to back without waiting for anybody. It
/// counts the packets and frames that the transport really uses (headers, gaps, shortest frame), the sender's and
/// receiver's software, the network card, every link and switch of the path, and the pipelining of packets through
/// them. Where packets of a message may take different paths, a short last packet that overtakes the one before
/// counts as well. So an unhindered message has a slowdown of 1, never less.
///
/// An RPC's best time is the sum of those of its two messages.
struct IdleNetwork {
    /// One link of a path: serialisation, and what follows it.
    private struct Station {
        var picosecondsPerKiB: UInt64
        var delay: UInt64

        func time(_ bytes: Int) -> UInt64 { (UInt64(bytes) * picosecondsPerKiB + 1023) >> 10 }
    }

    /// When each link of a path falls idle; no path has more than four.
    private typealias Ends = InlineArray<4, UInt64>

    let frame: FrameFormat
    private let local: [Station]
    private let remote: [Station]
    private let cutThrough: Bool
    private let sprays: Bool
    private let hostsPerLeaf: Int

    init(_ topology: TopologyConfiguration, frame: FrameFormat) {
        self.frame = frame
        let host = Port.picosecondsPerKiB(bitsPerSecond: topology.hostRate.bitsPerSecond)
        let uplink = Port.picosecondsPerKiB(bitsPerSecond: topology.uplinkRate.bitsPerSecond)
        let link = topology.linkDelay.picoseconds
        let intoSwitch = link + topology.switchDelay.picoseconds
        let first = Station(
            picosecondsPerKiB: host,
            delay: topology.hostSendDelay.picoseconds + topology.nicDelay.picoseconds + intoSwitch)
        let last = Station(picosecondsPerKiB: host, delay: link + topology.hostReceiveDelay.picoseconds)
        let middle = Station(picosecondsPerKiB: uplink, delay: intoSwitch)
        local = [first, last]
        remote = [first, middle, middle, last]
        cutThrough = topology.switching == .cutThrough
        sprays = topology.pathChoice == .perPacketSpraying && topology.spineCount > 1
        hostsPerLeaf = topology.hostsPerLeaf
    }

    /// Picoseconds for a message of so many bytes (at least 1) between two hosts.
    func picoseconds(bytes: Int, from source: Int, to destination: Int) -> UInt64 {
        let isRemote = source / hostsPerLeaf != destination / hostsPerLeaf
        let path = isRemote ? remote : local
        let inOrder = arrival(bytes, path, ownPath: false)
        return isRemote && sprays ? min(inOrder, arrival(bytes, path, ownPath: true)) : inOrder
    }

    /// When the last byte arrives; `ownPath`: the last packet meets no other before the last link.
    private func arrival(_ bytes: Int, _ path: [Station], ownPath: Bool) -> UInt64 {
        let packets = frame.packets(of: bytes)
        var ends = Ends(repeating: 0)
        var fullArrival: UInt64 = 0
        if packets > 1 {
            fullArrival = pass(frame.fullWireBytes, path, after: &ends, ownPath: false)
            // Packets of one size follow each other at the pace of the slowest link so far.
            var slowest: UInt64 = 0
            for index in path.indices {
                slowest = max(slowest, path[index].time(frame.fullWireBytes))
                ends[index] += UInt64(packets - 2) * slowest
            }
            fullArrival += UInt64(packets - 2) * slowest
        }
        let before = ends
        let last = frame.wireBytes(payload: frame.lastPayload(of: bytes))
        let lastArrival = pass(last, path, after: &ends, ownPath: ownPath)
        guard ownPath, packets > 1 else { return lastArrival }
        return overtaking(last, path, before: before, lastArrival: lastArrival, fullArrival: fullArrival)
    }

    /// Sends one packet down the path behind what has gone before; the time at which it is with the receiver.
    private func pass(_ bytes: Int, _ path: [Station], after ends: inout Ends, ownPath: Bool) -> UInt64 {
        var ready: UInt64 = 0
        for index in path.indices {
            let isInside = index > 0 && index < path.count - 1
            let start = max(ready, ownPath && isInside ? 0 : ends[index])
            let end = start + path[index].time(bytes)
            if !(ownPath && isInside) { ends[index] = end }
            ready = end
            if cutThrough, index + 1 < path.count {
                let header = start + path[index].time(min(bytes, Int(Network.headerWireBytes)))
                ready = max(header, end - min(end, path[index + 1].time(bytes)))
            }
            ready += path[index].delay
        }
        return ready
    }

    /// The last packet may reach the last link before the full one ahead of it: then that one completes the message.
    private func overtaking(
        _ bytes: Int, _ path: [Station], before: Ends, lastArrival: UInt64, fullArrival: UInt64
    ) -> UInt64 {
        let last = path[path.count - 1]
        let full = last.time(frame.fullWireBytes)
        let fullEnd = before[path.count - 1]
        let fullStart = fullEnd - full
        // Arrival of the short one at the last link, had nothing been there.
        var free = Ends(repeating: 0)
        free[0] = before[0]
        let shortEnd = pass(bytes, path, after: &free, ownPath: true) - last.delay
        let shortStart = shortEnd - last.time(bytes)
        guard shortStart < fullStart else { return lastArrival }
        return max(fullStart, shortEnd) + full + last.delay
    }
}
