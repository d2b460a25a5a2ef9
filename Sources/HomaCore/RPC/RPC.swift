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
    enum State: UInt8 {
        case free
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

    /// This side's identifier: even at the client, odd at the server. 0 at a client that has not transmitted anything.
    var id: RPCID
    var generation: UInt32
    var peer: UInt32
    var localPort: UInt16
    var peerPort: UInt16
    var state: State
    var kind = Kind.call
    var cookie: UInt64 = 0
    /// Creation; decides ties between equally short messages, and who is oldest.
    var birth: Instant
    var deadline = Instant.distantFuture
    /// The last sign that the other side works on this RPC, or our own last transmission of something new.
    var lastHeard: Instant
    /// When bytes of either message last advanced, or the peer gave reason to wait for them without limit.
    var lastProgress = Instant.zero
    /// Times in a row that a server without extensions said BUSY and did not ask for any of the request, up to 8.
    var busyInARow: UInt8 = 0
    /// The next request for missing data, or for an acknowledgement, goes out no earlier than this.
    var nextProbe: Instant
    /// Interval between such requests, in nanoseconds; doubles.
    var probeInterval: UInt64
    /// The peer was asked about it and has not answered.
    var isAsked = false
    /// How often it was asked about, up to 8, since it was heard of at that time.
    var questions: UInt8 = 0
    var questionsSince = Instant.distantFuture
    /// It is to be asked about, and waits for its turn; its neighbours among those that do.
    var waitsToAsk = false
    var asksAfter = RPCTable.none
    var asksBefore = RPCTable.none
    /// When the last byte of a request left, if it left once only: the response will tell how long the peer takes.
    var sentAt: Instant?
    /// Where a call stands with its peer's ``CallAdmission``, and with how many bytes it counts there.
    var admission = CallAdmission.Stage.none
    var admissionBytes: UInt32 = 0
    /// Neighbours among the peer's client RPCs, in order of id; or in the queue of calls that may not begin yet.
    var olderCall = RPCTable.none
    var newerCall = RPCTable.none
    var outgoing = OutgoingMessage()
    var incoming = IncomingMessage()

    var isClient: Bool { !id.isServerSide }
}
