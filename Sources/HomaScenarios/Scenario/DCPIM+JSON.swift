// SPDX-License-Identifier: Apache-2.0

import HomaSim

extension DCPIMConfiguration {
    /// From an object whose `kind` is `dcpim`.
    init(_ reader: ObjectReader) {
        self.init()
        rounds = reader.integer("rounds", 1...16, default: rounds)
        channels = reader.integer("channels", 1...64, default: channels)
        if let given = reader.value("round_trips_per_round"), given != .null {
            roundTripsPerRound = reader.number("round_trips_per_round", 1...100, default: 1)
        }
        dataPhaseRatio = reader.number("data_phase_ratio", 1...100, default: dataPhaseRatio)
        shortestFirstRounds = reader.integer("shortest_first_rounds", 0...16, default: shortestFirstRounds)
        shortMessageBytes = reader.integerOrNull("short_message_bytes", 0...1 << 30, default: shortMessageBytes)
        windowBytes = reader.integerOrNull("window_bytes", 1460...1 << 30, default: windowBytes)
        resendAfter = reader.durationOrNull("resend_after_us", .microseconds, default: resendAfter)
        usesIdleChannels = reader.flag("uses_idle_channels", default: usesIdleChannels)
        prioritiesBySize = reader.flag("priorities_by_size", default: prioritiesBySize)
        frames = reader.choice("frames", Frames.allCases.map { ($0.rawValue, $0) }, default: frames)
    }

    /// With `kind` first; the keys are ``ScenarioKeys/dcpim``.
    var json: JSONValue {
        .object([
            .init("kind", .string("dcpim")), .init("rounds", .integer(rounds)), .init("channels", .integer(channels)),
            .init("round_trips_per_round", roundTripsPerRound.map { .double($0) } ?? .null),
            .init("data_phase_ratio", .double(dataPhaseRatio)),
            .init("shortest_first_rounds", .integer(shortestFirstRounds)),
            .init("short_message_bytes", JSONValue(shortMessageBytes)), .init("window_bytes", JSONValue(windowBytes)),
            .init("resend_after_us", resendAfter.map { JSONValue($0, .microseconds) } ?? .null),
            .init("uses_idle_channels", .bool(usesIdleChannels)),
            .init("priorities_by_size", .bool(prioritiesBySize)), .init("frames", .string(frames.rawValue)),
        ])
    }
}

extension DCPIMHostStatistics {
    var json: JSONValue {
        .object(
            (JSONValue(counters: self).members ?? []) + [
                .init("round_us", JSONValue(round, .microseconds)),
                .init("data_phase_us", JSONValue(dataPhase, .microseconds)),
                .init("short_message_bytes", .integer(shortMessageBytes)),
                .init("window_packets", .double(windowPackets)),
            ])
    }
}
