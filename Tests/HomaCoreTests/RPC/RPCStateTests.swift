// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HomaCore

@Suite("States of an RPC")
struct RPCStateTests {
    @Test func `what may follow what`() {
        var lines: [String] = []
        for (side, isClient) in [("client", true), ("server", false)] {
            for state in RPC.State.allCases {
                let successors = state.successors(isClient: isClient)
                guard !successors.isEmpty else { continue }
                lines.append("\(side): \(state) → \(successors.map { "\($0)" }.joined(separator: ", "))")
            }
        }
        print(lines.joined(separator: "\n"))
        #expect(
            lines == [
                "client: outgoing → incoming, lingering",
                "server: incoming → inService",
                "server: inService → outgoing, declined",
            ])
    }
}
