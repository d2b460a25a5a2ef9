// SPDX-License-Identifier: Apache-2.0

/// What must hold of whole engines, whatever the network and the system do to them.
public enum EngineRule: String, CaseIterable, Sendable {
    case endsOnce = "ends_once"
    case intact
    case ranTwice = "ran_twice"
    case ranInTwoLives = "ran_in_two_lives"
    case messageTwice = "message_twice"
    case messageLost = "message_lost"
    case notRun = "not_run"
    case picksUp = "picks_up"
    case endsInTime = "ends_in_time"
    case answersAfterHealing = "answers_after_healing"
    case comesToRest = "comes_to_rest"
    case nothingLeft = "nothing_left"
    case regionFree = "region_free"
    case stopsWhenTold = "stops_when_told"
    case released
    case noTrap = "no_trap"

    /// What holds, in one line.
    public var statement: String {
        switch self {
        case .endsOnce: "every call and one-way message ends exactly once"
        case .intact: "every message is handed over byte by byte as it was sent, and stays so while it is held"
        case .ranTwice: "a request is delivered at most once in a life of its server"
        case .ranInTwoLives: "a request that a server delivered before it restarted is not delivered after"
        case .messageTwice: "a one-way message is delivered at most once in a life of its receiver"
        case .messageLost: "a one-way message that is reported as sent was delivered"
        case .notRun: "a call that fails in a way that says that it has not run has not, and does not"
        case .picksUp: "a host that stood still for no longer than answers are kept gets those to its calls"
        case .endsInTime: "after the network has healed everything ends within the limit"
        case .answersAfterHealing: "a call that begins after the network has healed is answered"
        case .comesToRest: "engines that have nothing to do sleep"
        case .nothingLeft: "at rest an engine holds no record, payload, call or packet"
        case .regionFree: "at rest every lease is home and no page is held but those that shards own"
        case .stopsWhenTold: "an engine that is told to stop does, within its time to drain"
        case .released: "an engine that has stopped, its calls and its messages are gone when nobody holds them"
        case .noTrap: "nothing stops the program"
        }
    }
}
