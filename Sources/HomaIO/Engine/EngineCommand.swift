// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore

/// What other threads ask of the engine thread.
enum EngineCommand: Sendable {
    /// Part of a Swift task that prefers to run here.
    case job(UnownedJob)
    case start(PendingCall)
    case cancel(PendingCall)
    /// Its task waits for the outcome once more.
    case await(PendingCall, UnsafeContinuation<CallOutcome?, Never>)
    case respond(RPCHandle, OutgoingBuffer)
    case fail(RPCHandle, OutgoingBuffer)
    case decline(RPCHandle)
    case sleep(Sleeper)
    case cancelSleep(Sleeper)
    /// A packet that arrived at another shard.
    case take([UInt8], PeerAddress)
    /// An acknowledgement that arrived at another shard.
    case acknowledge(CrossShardAck)
    /// Anything rare.
    case perform(@Sendable () -> Void)
}

/// Commands from other threads, in the order they came.
struct EngineInbox {
    var commands: [EngineCommand] = []
    /// Set when the engine stops; nothing is accepted afterwards.
    var isClosed = false
}
