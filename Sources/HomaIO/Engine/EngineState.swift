// SPDX-License-Identifier: Apache-2.0

internal import HomaBase
internal import HomaCore

/// A message under way to the network: where its bytes are and who keeps them alive.
struct SendRecord {
    /// Nil while the bytes do not exist.
    let base: UnsafeRawPointer?
    /// An ``OutgoingBuffer``, or the ``PendingCall`` that will make one.
    let owner: Unmanaged<AnyObject>

    init(_ buffer: OutgoingBuffer) {
        base = buffer.base
        owner = Unmanaged<AnyObject>.passRetained(buffer)
    }

    init(_ call: PendingCall) {
        if let buffer = call.buffer {
            base = buffer.base
            owner = Unmanaged<AnyObject>.passRetained(buffer)
        } else {
            base = nil
            owner = Unmanaged<AnyObject>.passRetained(call)
        }
    }
}

/// Payload that may be let go when the packets appended before have left.
struct PendingRelease {
    let owner: Unmanaged<AnyObject>
    let appendedPackets: UInt64
}

/// All that the engine thread alone touches.
///
/// It lives behind a pointer and is reached field by field, never through a mutating method of the
/// whole: application code that runs in the middle of a round comes back to other fields.
struct EngineState: ~Copyable {
    var endpoint: Endpoint
    /// The loop alone knows which it is.
    let driver: AnyPacketDriver
    var jobs = WaitingRing<UnownedJob>()
    /// Calls of tasks on the engine's thread that have waited for less than a millisecond, and older ones among them.
    var youngCalls = WaitingRing<YoungCall>()
    var timers = TimerQueue()
    var sends: TokenTable<SendRecord>
    /// Of payload that is not needed any more, in that order; only while the kernel has no room.
    var releases: [PendingRelease] = []
    var calls: TokenTable<PendingCall>
    var ports = PortSinks()
    /// Buffer that changes places with the inbox's.
    var commands: [EngineCommand] = []
    /// The time this round goes by.
    var now: Instant
    /// The endpoint's deadline as of the last round with work; nothing else moves it. Asking each time
    /// would copy the whole endpoint (Swift 6.3 loads a noncopyable value to borrow it).
    var deadline = Instant.distantFuture
    /// True after a round in which nothing happened.
    var isQuiet = false
    /// Rounds that may go by before the clock is looked at again, unless something happens.
    var roundsByOldClock = 0
    /// When something happened last.
    var lastWork: Instant
    /// When a message left last that fits one packet.
    var lastShort = Instant.zero
    /// When the error queue was looked at last without being asked to.
    var lastErrorCheck: Instant
    /// When the region's memory goes back; of the first shard alone.
    var idleMemory = IdleMemory()
    /// Why packets are left in the driver's queue.
    var backlog = FlushResult.Remainder.none
    /// How many those are after the last flush, and how many had been appended by then.
    var queuedPackets = 0
    var appendedPackets: UInt64 = 0
    /// When the engine had to stop and began to drain.
    var drainBegun: Instant?
    /// Nothing more is taken from the application.
    var isClosed = false
    var counters = EngineStatistics()
    /// What the driver's plan is for, while it has one.
    var expected: ExpectedTrain?
    /// How the last train's message was expected to go on, and how often such expectations came true of late.
    var lastForecast: Forecast?
    var forecastConfidence = EngineState.confidenceToPlan
    /// So sure the engine must be that the next train goes on with this one's message: messages that come in turns are
    /// cheaper to copy than to put in the wrong place and then copy.
    static var confidenceToPlan: Int { 8 }
    /// Version of the cutoffs that the other shards were told of.
    var sentCutoffVersion: UInt16 = 0
    let clientPort: UInt16
}
