// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import Testing

@testable import HomaExperiments

@Suite struct RegistryTests {
    @Test func `names are short, unlike each other and found again`() {
        let names = Experiment.all.map(\.name)
        #expect(Set(names).count == names.count)
        for name in names {
            #expect(name.wholeMatch(of: /[a-z]+(-[a-z]+)*/) != nil, "\(name)")
            #expect(Experiment.named(name)?.name == name)
        }
        #expect(Experiment.named("no-such-experiment") == nil)
    }

    @Test(arguments: Scale.allCases)
    func `every scenario that is asked for can be run`(scale: Scale) throws {
        for experiment in Experiment.all {
            var laboratory = Laboratory(scale: scale) { _ in nil }
            // Throws for a scenario with a wrong key or value.
            _ = try experiment.evaluate(&laboratory)
            #expect(!laboratory.missing.isEmpty, "\(experiment.name) asks for nothing")
        }
    }

    @Test(arguments: Scale.allCases)
    func `nothing is reproduced or answered without results`(scale: Scale) throws {
        for experiment in Experiment.all {
            var laboratory = Laboratory(scale: scale) { _ in nil }
            for claim in try experiment.evaluate(&laboratory).claims {
                #expect(claim.verdict == .notReproduced, "\(experiment.name): \(claim.claim)")
            }
        }
    }

    @Test func `the records of real sockets are judged`() throws {
        let record = try JSONValue(
            parsing: #"{"measure":"goodput_500kb_vs_tcp","value":0.99,"rival_value":18.5e9,"homa_value":18.3e9}"#)
        var laboratory = Laboratory(scale: .full, records: { _ in [record] }) { _ in nil }
        let claims = try Experiment.receiveThroughput.evaluate(&laboratory).claims.suffix(5)
        #expect(claims.map(\.verdict) == [.notReproduced, .reproduced, .reproduced, .notReproduced, .reproduced])
    }

    @Test func `verdicts follow results`() throws {
        func verdicts(occupancy: Int) throws -> [Verdict] {
            var laboratory = Laboratory(scale: .quick) { _ in
                let result = JSONValue.object([
                    .init("switch_buffer_max_bytes", .integer(occupancy)), .init("switch_buffer_max_us", .double(68)),
                    .init("drops", .integer(0)),
                ])
                return PointStore.Entry(result: result, failure: nil, isOfOtherBuild: false)
            }
            return try Experiment.switchOccupancy.evaluate(&laboratory).claims.map(\.verdict)
        }
        #expect(try verdicts(occupancy: 8_000_000)[1] == .reproduced)
        #expect(try verdicts(occupancy: 800_000)[1] == .notReproduced)
    }
}
