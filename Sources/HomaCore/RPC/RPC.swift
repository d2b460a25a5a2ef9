// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBuffers

/// One RPC, at the client or at the server: a plain record, so that a table of them needs no reference counting.
///
/// ```text
/// client   outgoing ──first response packet──▶ incoming ──complete──▶ (gone, acknowledged)
/// server   incoming ──complete──▶ inService ──respond──▶ outgoing ──acknowledged──▶ (gone)
///                                        └──decline──▶ declined ──acknowledged──▶ (gone)
///
/// one-way  outgoing ──acknowledged──▶ (gone)         or   outgoing ──sent──▶ lingering ──a while──▶ (gone)
///          incoming ──complete──▶ (gone, acknowledged)
/// ```
struct RPC: BitwiseCopyable {
    enum State: UInt8, CaseIterable {
        /// This side's message is leaving.
        case outgoing
        /// The other side's message is arriving.
        case incoming
        /// The server's application has the request.
        case inService
        /// The server's application dropped the request; the client is being told.
        case declined
        /// The client has sent a message that will not be acknowledged, and keeps it for a while.
        case lingering

        /// What may come after this state; an RPC may end in any. A client's begins outgoing, a server's incoming.
        func successors(isClient: Bool) -> [State] {
            switch (self, isClient) {
            case (.outgoing, true): [.incoming, .lingering]
            case (.incoming, false): [.inService]
            case (.inService, false): [.outgoing, .declined]
            default: []
            }
        }
    }

    /// What becomes of the message after it has arrived.
    enum Kind: UInt8 {
        /// It is answered.
        case call
        /// Nothing, if the peer understands that; not known before the first packet.
        case message
        /// Its packets say that nothing comes back.
        case markedMessage
    }

    /// Where a call stands with the admission of its peer.
    enum AdmissionStage: UInt8 {
        /// No call of ours.
        case none
        /// Waits in its peer's queue; no packet of it has left.
        case queued
        /// Counts against the limits.
        case admitted
        /// The peer's application has had it for a while. It only counts as unfinished.
        case handedOver
    }

    /// This side's identifier: even at the client, odd at the server. 0 at a client that has not transmitted anything.
    var id: RPCID
    var peer: UInt32
    /// At a server: the record of the client whose request it is; else `UInt32.max`.
    var client = UInt32.max
    var localPort: UInt16
    var peerPort: UInt16
    /// At a server: the own address at which the request came last (``PeerAddress/local``), and from which it is
    /// answered. A host may be called at several.
    var localAddress: UInt16 = 0
    var state: State
    var kind = Kind.call
    /// A request that may be a late duplicate of one that ran before this server's memory began: it is not delivered
    /// before its client has shown that it wants it now.
    var isUnproven = false
    /// It became known here by the first packet that its client sent of it.
    var cameFirst = false
    /// The response says that the server's application failed.
    var isFailure = false
    /// A response that is kept though its client is taken for dead, among others that are (``Calls``).
    var isRetained = false
    var cookie: UInt64 = 0
    /// Creation; decides ties between equally short messages, and who is oldest.
    var birth: Instant
    /// When the client gives it up; at a server as the client has said, in this host's time.
    var deadline = Instant.distantFuture
    /// The last sign that the other side works on this RPC, or our own last transmission of something new.
    var lastHeard: Instant
    /// When bytes of either message last advanced, or the peer gave reason to wait for them without limit.
    var lastProgress = Instant.zero
    /// When something about it last left that had left before, or that asked.
    var lastAsked = Instant.zero
    /// Times in a row that a server without extensions said BUSY and did not ask for any of the request, up to 8.
    var busyInARow: UInt8 = 0
    /// The next request for missing data, or for an acknowledgement, goes out no earlier than this.
    var nextProbe: Instant
    /// Interval between such requests, in nanoseconds; doubles.
    var probeInterval: UInt64
    /// The peer was asked about it and has not answered.
    var isProbed = false
    /// How often it was asked about in all, up to 255.
    var probesSent: UInt8 = 0
    /// How often it was asked about, up to 255, since it was heard of at that time.
    var unansweredProbes: UInt8 = 0
    var probesSince = Instant.distantFuture
    /// Among its peer's RPCs that wait for their turn to be asked about.
    var probeLinks = SlabLinks()
    /// When the last byte of a request left, if it left once only: the response will tell how long the peer takes.
    var sentAt: Instant?
    /// Where a call stands, and with how many bytes it counts there.
    var admission = AdmissionStage.none
    var admissionBytes: UInt32 = 0
    /// Among its peer's calls, in order of id; before it has one, among those that may not begin yet.
    var callLinks = SlabLinks()
    var outgoing = OutgoingMessage()
    var incoming = IncomingMessage()

    var isClient: Bool { !id.isServerSide }

    /// Under whom it is found by its identifier: at a client under its peer, at a server under its client, who may
    /// move.
    var owner: UInt32 { client == .max ? peer : Self.owner(client: client) }
    static func owner(client: UInt32) -> UInt32 { client | 1 << 31 }

    // MARK: Lists that an RPC can be in

    /// Calls of a peer, or of one length class of those that wait for admission, or responses that are retained: an RPC
    /// is in one of these at a time.
    enum Calls: SlabListKind {
        static func links(of rpc: UnsafeMutablePointer<RPC>) -> UnsafeMutablePointer<SlabLinks> {
            withUnsafeMutablePointer(to: &rpc.pointee.callLinks) { $0 }
        }
    }

    /// RPCs of a peer that are to be asked about when others have been answered.
    enum Probes: SlabListKind {
        static func links(of rpc: UnsafeMutablePointer<RPC>) -> UnsafeMutablePointer<SlabLinks> {
            withUnsafeMutablePointer(to: &rpc.pointee.probeLinks) { $0 }
        }
    }

    /// Messages that may be granted to.
    enum Grantable: SlabListKind {
        static func links(of rpc: UnsafeMutablePointer<RPC>) -> UnsafeMutablePointer<SlabLinks> {
            withUnsafeMutablePointer(to: &rpc.pointee.incoming.ageLinks) { $0 }
        }
    }
}
