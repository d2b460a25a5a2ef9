// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaBuffers
internal import HomaCore
public import HomaPosix
internal import HomaWire

/// One of several engines of a node.
///
/// The kernel gives each engine the packets of its own RPCs. What comes to the wrong one (packets of several RPCs that
/// the network card joined, acknowledgements that travel with another RPC's packet) is passed on.
extension Engine {
    /// The engines of one node, which share its port and its region; not started yet.
    ///
    /// - Parameter count: engines, each on a thread of its own; `configuration.core`, if any, is the first one's core.
    /// - Throws: what ``init(_:)`` throws.
    public static func makeShards(_ configuration: EngineConfiguration, count: Int) throws -> [Engine] {
        try makeShards(configuration, count: count, place: ShardPlace()) { try Engine($0, shard: $1) }
    }

    /// - Parameters:
    ///   - place: what the node is; the rest of it is filled in.
    ///   - make: makes one of the engines.
    static func makeShards(
        _ configuration: EngineConfiguration, count: Int, place: ShardPlace,
        make: (EngineConfiguration, ShardPlace) throws -> Engine
    ) throws -> [Engine] {
        guard count > 1 else { return [try make(configuration, place)] }
        var configuration = configuration
        configuration.socket.sharers = count
        configuration.pool.shards = count
        let group = ShardGroup(count: count)
        var place = place
        place.count = count
        place.group = group
        var engines: [Engine] = []
        for index in 0..<count {
            place.index = index
            engines.append(try make(configuration, place))
            place.region = engines[0].region
            place.firstRPC = engines[0].firstRPC
            // Free ports are free once only.
            configuration.socket.binding.setPort(engines[0].localAddress.port)
            configuration.socket.joinsSharers = true
            configuration.core = configuration.core.map { $0 + 1 }
            // One learns for all: a fair part of the messages comes to it.
            configuration.endpoint.learnsCutoffs = false
        }
        group.complete(engines)
        return engines
    }

    /// Starts all of them; when one cannot start, those before it are stopped.
    ///
    /// - Throws: `SystemError` as ``start()`` does.
    public static func start(_ shards: [Engine]) throws(SystemError) {
        for (index, engine) in shards.enumerated() {
            do throws(SystemError) { try engine.start() } catch {
                for started in shards[..<index] { started.stop() }
                for idle in shards[index...] { idle.shard.group?.leave() }
                throw error
            }
        }
    }

    /// Whether the packet's RPC is one of this shard's.
    @inline(__always)
    func isOurs(_ header: CommonHeader) -> Bool {
        shard.count == 1 || header.senderID.shard(of: shard.count) == shard.index
    }

    /// Gives a packet to the engine whose RPC it belongs to.
    func passOn(_ packet: UnsafeRawBufferPointer, _ header: CommonHeader, from peer: PeerAddress) {
        guard let group = shard.group else { return }
        // Nobody who was told how many shards there are sends bundles, and a bundle's packets are not worth a way.
        let mayPass = !state.pointee.endpoint.isInsideBundle
        if mayPass, group.pass(packet, from: peer, to: header.senderID.shard(of: shard.count)) {
            state.pointee.counters.packetsPassedOn &+= 1
        } else {
            state.pointee.counters.misdirectedPackets &+= 1
        }
    }

    /// Takes a packet that another engine passed on.
    func takePassedOn(_ bytes: [UInt8], from peer: PeerAddress) {
        shard.group?.taken(by: shard.index)
        guard !state.pointee.isClosed else { return }
        _ = bytes.withUnsafeBytes { takePacket($0, from: peer) }
    }

    /// Hears how the other engines stand, before anything is sent.
    @inline(__always)
    func applySummaries() {
        guard let group = shard.group else { return }
        state.pointee.endpoint.apply(group.summaries(of: shard.index))
        while let ack = state.pointee.endpoint.nextCrossShardAck() {
            state.pointee.counters.acksPassedOn &+= 1
            _ = group[ack.record.clientID.shard(of: shard.count)].post(.acknowledge(ack))
        }
    }

    /// Lets the other engines know how this one stands.
    @inline(__always)
    func publishSummary() {
        guard let group = shard.group else { return }
        group.publish(state.pointee.endpoint.summary, of: shard.index)
        guard shard.index == 0 else { return }
        let cutoffs = state.pointee.endpoint.unscheduledCutoffs
        guard cutoffs.version != state.pointee.sentCutoffVersion else { return }
        state.pointee.sentCutoffVersion = cutoffs.version
        for other in 1..<shard.count {
            let engine = group[other]
            engine.perform { engine.state.pointee.endpoint.adopt(cutoffs) }
        }
    }
}

extension UDPSocketOptions.Binding {
    /// The same place with this port.
    mutating func setPort(_ port: UInt16) {
        switch self {
        case .wildcard(_, let family): self = .wildcard(port: port, family: family)
        case .address(var address):
            address.port = port
            self = .address(address)
        }
    }
}
