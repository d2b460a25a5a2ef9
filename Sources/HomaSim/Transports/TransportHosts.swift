// SPDX-License-Identifier: Apache-2.0

import HomaCore

/// All hosts of a run, whatever transport they use: the seam between the network and the transports.
///
/// A transport is a noncopyable structure that holds the state of *all* hosts, in its own folder. It gets handles to
/// the packets and to the ledger of messages, and provides:
///
/// - `start(message, at:)`: a message begins; sender, receiver and length of the present direction are in the
///   ledger. A transport of one-way messages is started again for the response of an RPC.
/// - `receive(packet, at: host, now:)`: a packet is with the host's software. The transport gives it back to
///   the store.
/// - `nextPacket(host, at:)`: the host's network card has fallen idle, or something has happened: the packet to
///   send now, taken from the store, or `Packet.none`. Asked again when that packet has been sent, so the choice is
///   always made at the last moment.
/// - `deadline(host)`, `expireTimers(host, at:)`: when it must be called though no packet has come.
/// - `nextWake()`, if one host's input can make another send: those hosts.
///
/// It tells the ledger what has been `sent` for the first time, `delivered` and `failed`. Its own fields of a
/// packet lie beside the packet, as one structure of at most `extraStride` bytes (`PacketStore.extra`). A dropped
/// packet is silently gone; nobody tells.
///
/// Dispatch is by an enumeration here, so that each call is direct: no existential, no class, no closure.
struct TransportHosts: ~Copyable {
    private enum Kind {
        case homa
        case oracle
        case tcp
        case dcpim
    }

    private let kind: Kind
    private var homa: HomaTransport?
    private var oracle: SRPTOracle?
    var tcp: TCPTransport?
    var dcpim: DCPIMTransport?
    /// Sizes of the transport's data packets.
    let frame: FrameFormat
    /// Bytes of a message that are sent without a grant, for reckoning the load.
    let unscheduledBytes: Int
    /// Packets of data for which the receiver sends one packet without any, for reckoning the load; nil: as
    /// `unscheduledBytes` says.
    let packetsPerAcknowledgement: Int?
    /// The transport answers requests itself.
    let answersItself: Bool

    /// Bytes beside each packet that the transport needs.
    static func extraStride(_ transport: TransportConfiguration) -> Int {
        switch transport {
        case .homa: MemoryLayout<HomaPacketFields>.stride
        case .srptOracle: 0
        case .tcp: MemoryLayout<TCPSegment>.stride
        case .dcpim: MemoryLayout<DCPIMPacket>.stride
        }
    }

    init(_ scenario: Scenario, packets: PacketStore, messages: MessageLedger) {
        switch scenario.transport {
        case .homa(let settings):
            kind = .homa
            homa = HomaTransport(scenario, settings, packets: packets, messages: messages)
            oracle = nil
            tcp = nil
            dcpim = nil
            frame = HomaFrame(settings).format
            unscheduledBytes = settings.endpoint.unscheduledBytes
            packetsPerAcknowledgement = nil
            answersItself = HomaTransport.answersItself(scenario.topology)
        case .srptOracle:
            kind = .oracle
            homa = nil
            oracle = SRPTOracle(scenario, messages: messages)
            tcp = nil
            dcpim = nil
            frame = .sigcomm2018
            unscheduledBytes = .max
            packetsPerAcknowledgement = nil
            answersItself = false
        case .tcp(let settings):
            kind = .tcp
            homa = nil
            oracle = nil
            tcp = TCPTransport(scenario, settings, packets: packets, messages: messages)
            dcpim = nil
            frame = .tcp
            unscheduledBytes = .max
            packetsPerAcknowledgement = settings.segmentsPerAck
            answersItself = false
        case .dcpim(let settings):
            kind = .dcpim
            homa = nil
            oracle = nil
            tcp = nil
            dcpim = DCPIMTransport(scenario, settings, packets: packets, messages: messages)
            frame = settings.frame
            // Tokens are to dcPIM what grants are to Homa; its authors count data only.
            unscheduledBytes =
                settings.frames == .sigcomm2022 ? .max : DCPIMTuning(settings, scenario.topology).shortBytes
            packetsPerAcknowledgement = nil
            answersItself = false
        }
    }

    @inline(__always)
    mutating func start(_ message: UInt32, at now: UInt64) {
        switch kind {
        case .homa: homa!.start(message, at: now)
        case .oracle: oracle!.start(message, at: now)
        case .tcp: tcp!.start(message, at: now)
        case .dcpim: dcpim!.start(message, at: now)
        }
    }

    @inline(__always)
    mutating func receive(_ packet: UInt32, at host: UInt16, now: UInt64) {
        switch kind {
        case .homa: homa!.receive(packet, at: host, now: now)
        case .oracle: preconditionFailure("the oracle sends no packets")
        case .tcp: tcp!.receive(packet, at: host, now: now)
        case .dcpim: dcpim!.receive(packet, at: host, now: now)
        }
    }

    @inline(__always)
    mutating func nextPacket(_ host: UInt16, at now: UInt64) -> UInt32 {
        switch kind {
        case .homa: homa!.nextPacket(host, at: now)
        case .oracle: Packet.none
        case .tcp: tcp!.nextPacket(host, at: now)
        case .dcpim: dcpim!.nextPacket(host, at: now)
        }
    }

    @inline(__always)
    mutating func deadline(_ host: UInt16) -> UInt64 {
        switch kind {
        case .homa: homa!.deadline(host)
        case .oracle: oracle!.deadline(host)
        case .tcp: tcp!.deadline(host)
        case .dcpim: dcpim!.deadline(host)
        }
    }

    @inline(__always)
    mutating func expireTimers(_ host: UInt16, at now: UInt64) {
        switch kind {
        case .homa: homa!.expireTimers(host, at: now)
        case .oracle: oracle!.expireTimers(host, at: now)
        case .tcp: tcp!.expireTimers(host, at: now)
        case .dcpim: dcpim!.expireTimers(host, at: now)
        }
    }

    @inline(__always)
    mutating func nextWake() -> UInt16? {
        switch kind {
        case .homa, .tcp, .dcpim: nil
        case .oracle: oracle!.nextWake()
        }
    }

    mutating func tcpStatistics() -> TCPHostStatistics? {
        kind == .tcp ? tcp!.statistics() : nil
    }

    mutating func dcpimStatistics() -> DCPIMHostStatistics? {
        kind == .dcpim ? dcpim!.statistics() : nil
    }

    /// True while the protocol core is at work; nil when the transport is another.
    var isInCore: UnsafePointer<Bool>? {
        mutating get { kind == .homa ? homa!.coreFlag() : nil }
    }

    mutating func homaStatistics() -> HomaHostStatistics? {
        kind == .homa ? homa!.statistics() : nil
    }
}
