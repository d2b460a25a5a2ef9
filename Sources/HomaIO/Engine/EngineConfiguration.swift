// SPDX-License-Identifier: Apache-2.0

public import HomaBuffers
public import HomaCore

/// How an ``Engine`` runs: its protocol, its region, its socket, and its thread.
public struct EngineConfiguration: Sendable {
    /// What the receive region is made of.
    public enum Backing: Sendable {
        /// Private zeroed memory.
        case anonymous
        /// A memory file of this name that another process can map; at most 249 bytes of name.
        case memoryFile(name: String)
    }

    /// What carries the packets.
    public enum Driver: Sendable {
        /// A UDP socket. The default.
        case udp
        /// Rings of a packet socket: ``PacketRingDriver``.
        case packet
        /// IP protocol 146, without UDP: ``RawIPDriver``.
        case raw
    }

    /// The protocol's knobs.
    public var endpoint = EndpointConfiguration()
    /// The receive region, and into how many shards it is cut: one for each engine of the node.
    public var pool = PoolConfiguration()
    /// The UDP socket.
    public var socket = UDPSocketOptions()
    /// What carries the packets.
    public var driver = Driver.udp
    /// The rings of the packet driver.
    public var packetRings = PacketRingOptions()
    /// What the region is made of.
    public var backing = Backing.anonymous
    /// When messages are put where the application reads them.
    public var receiveMode = ReceiveMode.bpages
    /// Has the kernel put trains of a long message straight into the region, with the UDP driver; default false, since
    /// copying them there is faster (docs/measurements).
    public var receivesInPlace = false
    /// Nanoseconds without work before the engine sleeps; 0: at once, `UInt64.max`: never.
    public var spinNanoseconds: UInt64 = 50_000
    /// Longest IP packet to send, in bytes with IP and UDP headers; nil: ask the system for each peer.
    public var fixedMTU: Int?
    /// The core to run on, from 0; nil: wherever the system puts the thread.
    public var core: Int?
    /// Packets sent between two looks at what has arrived; at least 1. More gives larger batches,
    /// fewer lets short messages overtake long ones sooner.
    public var packetsPerRound = 88

    public init() {}
}
