// SPDX-License-Identifier: Apache-2.0

import HomaBase

extension Scenario {
    func checkDCPIM(_ dcpim: DCPIMConfiguration) throws(ScenarioError) {
        try check("transport.rounds", dcpim.rounds, 1...16)
        try check("transport.channels", dcpim.channels, 1...64)
        try check("transport.round_trips_per_round", dcpim.roundTripsPerRound ?? 1, 1...100)
        try check("transport.data_phase_ratio", dcpim.dataPhaseRatio, 1...100)
        try check("transport.shortest_first_rounds", dcpim.shortestFirstRounds, 0...16)
        try check("transport.short_message_bytes", dcpim.shortMessageBytes ?? 0, 0...1 << 30)
        let packet = dcpim.frame.payloadBytes
        try check("transport.window_bytes", dcpim.windowBytes ?? packet, packet...1 << 30)
        try check(
            "transport.resend_after_us", dcpim.resendAfter ?? .microseconds(1), .nanoseconds(1) ... .seconds(60))
    }
}
