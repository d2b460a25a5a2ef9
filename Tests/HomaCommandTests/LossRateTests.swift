// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HomaCommand

@Suite("Losses on the command line")
struct LossRateTests {
    @Test("a loss is a percentage of 0.01 or more, or nothing")
    func loss() {
        #expect(LossRate(argument: "1%")?.tenThousandths == 100)
        #expect(LossRate(argument: "0.25%")?.tenThousandths == 25)
        #expect(LossRate(argument: "0%")?.tenThousandths == 0)
        #expect(LossRate(argument: "100%")?.tenThousandths == 10_000)
        for text in ["1", "0.001%", "-1%", "101%", "%", "nan%", "one%"] { #expect(LossRate(argument: text) == nil) }
    }
}
