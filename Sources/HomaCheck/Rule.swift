// SPDX-License-Identifier: Apache-2.0

/// What must hold whatever the network does. Each has a name, under which violations are counted, and one sentence.
public enum Rule: String, CaseIterable, Sendable {
    case endsOnce = "ends_once"
    case intact
    case ownResponse = "own_response"
    case ranTwice = "ran_twice"
    case ranInTwoLives = "ran_in_two_lives"
    case messageTwice = "message_twice"
    case messageLost = "message_lost"
    case endsInTime = "ends_in_time"
    case deadlineKept = "deadline_kept"
    case deadlineHeard = "deadline_heard"
    case abandonedOnce = "abandoned_once"
    case failureMarked = "failure_marked"
    case refusedNotRun = "refused_not_run"
    case nextStep = "next_step"
    case answersAfterHealing = "answers_after_healing"
    case recordsGone = "records_gone"
    case regionFree = "region_free"
    case payloadOnce = "payload_once"
    case timersGone = "timers_gone"
    case storesInside = "stores_inside"
    case noMarksForKernels = "no_marks_for_kernels"
    case boundedPackets = "bounded_packets"
    case boundedReplies = "bounded_replies"
    case noTrap = "no_trap"

    /// What holds, in one line.
    public var statement: String {
        switch self {
        case .endsOnce: "every call and one-way message ends exactly once"
        case .intact: "every message is handed over byte by byte as it was sent, and stays so while it is held"
        case .ownResponse: "a response is never that of another call"
        case .ranTwice: "a request is delivered at most once in a life of its client and of its server"
        case .ranInTwoLives: "a request that a server delivered before it restarted is not delivered after"
        case .messageTwice: "a one-way message is delivered at most once"
        case .messageLost: "a one-way message that is reported as sent was delivered"
        case .endsInTime: "after the network has healed everything ends within the limit"
        case .deadlineKept: "a call with a deadline ends when that has passed"
        case .deadlineHeard: "a server's application hears when the time is over that a request's client gave"
        case .abandonedOnce:
            "an application hears at most once that nobody waits for a request, and of none but those it has"
        case .failureMarked: "an answer says that the application failed when it did, and only then"
        case .refusedNotRun: "a request that a server refuses, since it is about to end, has not run and does not"
        case .nextStep: "an endpoint with unfinished RPCs has a deadline, so that each has somebody whose step is next"
        case .answersAfterHealing: "a call that begins after the network has healed is answered"
        case .recordsGone: "at rest no RPC is recorded, and no byte counts as on its way"
        case .regionFree: "at rest every lease is home and no page is held but those that shards own"
        case .payloadOnce: "payload is released exactly once for every message, and never referred to afterwards"
        case .timersGone: "at rest nothing is due"
        case .storesInside: "payload is stored inside the region, all of it"
        case .noMarksForKernels: "a peer without extensions is sent no marks"
        case .boundedPackets: "where nothing is lost or overtaken, hardly any data is sent twice"
        case .boundedReplies: "a stranger is sent at most so many bytes for each of its own"
        case .noTrap: "nothing stops the program"
        }
    }
}

/// A rule that was broken, and where.
public struct Violation: Sendable {
    public var rule: Rule
    public var seed: UInt64
    /// On the network's clock.
    public var nanoseconds: UInt64
    /// The RPC's identifier in its client's form; 0: none in particular.
    public var rpc: UInt64
    public var detail: String
}
