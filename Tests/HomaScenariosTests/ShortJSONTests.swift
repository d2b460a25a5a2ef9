// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaScenarios
import HomaSim
import Testing

@Suite("Short scenarios")
struct ShortJSONTests {
    @Test("the short form reads back as the same scenario", arguments: seeds(1000..<1010))
    func roundTrip(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let scenario = try RandomScenario.make(using: &random)
        let short = scenario.shortJSON
        #expect(try Scenario(json: short) == scenario)
        #expect(short.description.utf8.count < scenario.json.description.utf8.count)
    }

    @Test(
        "presets and defaults are not spelled out",
        arguments: [
            "{}", #"{"topology":"cluster-25g"}"#,
            #"{"topology":{"preset":"tomahawk3","nic_delay_ns":1},"traffic":{"load":0.5}}"#,
            #"{"seed":7,"transport":{"preset":"sigcomm2018"},"traffic":{"workload":"w1"}}"#,
            #"{"transport":"srpt-oracle","length":{"messages":10}}"#,
        ])
    func short(_ text: String) throws {
        #expect(try Scenario(parsing: text).shortJSON.description == text)
    }
}
