// SPDX-License-Identifier: Apache-2.0

import HomaBase
import HomaBench
import HomaCore
import Testing

@testable import HomaLab

@Suite("Protocol settings in a lab")
struct LabSettingsTests {
    private func settings(_ changes: [String] = [], rate: UInt64 = 200_000_000, base: String = "link") -> LabSettings {
        LabSettings(base: base, changes: changes, bitsPerSecond: rate, mtu: 1500)
    }

    @Test("at 10 Gb/s and more the derived settings are the default with a pacer")
    func fast() throws {
        var expected = EndpointConfiguration.default
        for rate in [10_000_000_000, 100_000_000_000] as [UInt64] {
            expected.linkRate = BitRate(bitsPerSecond: rate)
            #expect(try settings(rate: rate).configuration() == expected)
        }
    }

    @Test(
        "at every rate of a lab the derived settings are valid, for any MTU",
        arguments: [1_000_000, 10_000_000, 100_000_000, 200_000_000, 1_000_000_000, 10_000_000_000] as [UInt64])
    func valid(rate: UInt64) throws {
        for mtu in [1280, 1500, 9000] {
            let configuration = try LabSettings(bitsPerSecond: rate, mtu: mtu).configuration()
            #expect(configuration.unscheduledBytes >= 2 * mtu || configuration.unscheduledBytes == 60_000)
            #expect(configuration.linkQueueLimit >= .microseconds(5))
        }
    }

    @Test("at 200 Mb/s half a millisecond of the link goes unscheduled, and nothing queued is asked for again")
    func slow() throws {
        let configuration = try settings().configuration()
        #expect(configuration.unscheduledBytes == 12_500 && configuration.maximumIncoming == 100_000)
        #expect(configuration.resendAfter == .milliseconds(40) && configuration.timeout == .seconds(1))
    }

    @Test("the pacer knows the rate unless it is not to")
    func pacer() throws {
        var chosen = settings()
        #expect(try chosen.configuration().linkRate == .megabitsPerSecond(200))
        chosen.isPaced = false
        #expect(try chosen.configuration().linkRate == nil)
    }

    @Test("changes act, in any order of kinds")
    func changes() throws {
        let configuration = try settings([
            "unscheduledBytes=20K", "fifoGrantFraction=0.1", "linkQueueLimit=1ms", "learnsCutoffs=false", "window=9000",
            "grantIncrement=4000",
            "cutoffs=0/0/0/0/1000000/9000/800/100",
        ]).configuration()
        #expect(configuration.unscheduledBytes == 20_000 && configuration.fifoGrantFraction == 0.1)
        #expect(configuration.linkQueueLimit == .milliseconds(1) && !configuration.learnsCutoffs)
        #expect(configuration.window == 9000 && configuration.unscheduledCutoffs[5] == 9000)
    }

    @Test(
        "changes that mean nothing are refused by name",
        arguments: [
            "unscheduledBytes", "unscheduledBytes=many", "unscheduledBytes=0", "nonsense=1", "window=-1", "cutoffs=1/2",
            "fifoGrantFraction=2", "linkQueueLimit=soon", "learnsCutoffs=yes",
        ])
    func refused(change: String) throws {
        let name = String(change.split(separator: "=")[0])
        let error = #expect(throws: LabError.self) { try settings([change]).configuration() }
        #expect(error?.description.contains(name) == true || error?.description.contains("unscheduledCutoffs") == true)
    }

    @Test("presets are as they are, but for the pacer")
    func presets() throws {
        for preset in Preset.allCases {
            var unpaced = settings(base: preset.rawValue)
            unpaced.isPaced = false
            #expect(try unpaced.configuration() == preset.configuration)
        }
        #expect(throws: LabError.self) { try settings(base: "fastest").configuration() }
    }
}
