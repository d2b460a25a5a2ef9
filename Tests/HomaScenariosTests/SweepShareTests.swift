// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import Testing

@Suite("Shares of a sweep")
struct SweepShareTests {
    @Test("every point belongs to exactly one share, and no share has two points more than another")
    func partition() throws {
        for count in 1...9 {
            let shares = try (0..<count).map { try SweepShare(index: $0, count: count) }
            var sizes = [Int](repeating: 0, count: count)
            for point in 0..<50 {
                let owners = shares.filter { $0.contains(point: point) }
                #expect(owners.count == 1)
                sizes[owners[0].index] += 1
            }
            #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
        }
    }

    @Test("people count from one")
    func parsing() throws {
        #expect(try SweepShare(parsing: "2/8") == SweepShare(index: 1, count: 8))
        for text in ["0/8", "9/8", "8", "1/0", "a/b", "1/2/3", "", "-1/2"] {
            #expect(throws: ShareError.self, "\(text)") { try SweepShare(parsing: text) }
        }
    }

    @Test("every share has a file of its own, beside the others")
    func files() throws {
        let share = try SweepShare(index: 1, count: 8)
        #expect(share.file(for: "out/results.jsonl") == "out/results.share-2-of-8.jsonl")
        #expect(share.file(for: "v1.0/results") == "v1.0/results.share-2-of-8")
        #expect(share.file(for: ".hidden") == ".hidden.share-2-of-8")
    }

    @Test("Slurm's variables give the share, whatever its ids begin with")
    func slurm() throws {
        let environment = ["SLURM_ARRAY_TASK_ID": "14", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_COUNT": "4"]
        let stepped = environment.merging(["SLURM_ARRAY_TASK_STEP": "4"]) { $1 }
        #expect(try SweepShare.ofJobArray(stepped) == SweepShare(index: 1, count: 4))
        #expect(throws: ShareError.self) { try SweepShare.ofJobArray(environment) }
        #expect(throws: ShareError.self) { try SweepShare.ofJobArray(["SLURM_ARRAY_TASK_ID": "1"]) }
        #expect(throws: ShareError.self) {
            try SweepShare.ofJobArray(["SLURM_ARRAY_TASK_ID": "x", "SLURM_ARRAY_TASK_COUNT": "4"])
        }
    }

    @Test("a part of a Slurm array that is submitted again has the shares it had")
    func resubmitted() throws {
        let again = [
            "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_COUNT": "1",
            "HOMA_SHARE_COUNT": "8",
        ]
        #expect(try SweepShare.ofJobArray(again) == SweepShare(index: 3, count: 8))
        #expect(try SweepShare.ofJobArray(again, count: 4) == SweepShare(index: 3, count: 4))
    }

    @Test("an indexed Kubernetes job gives the share when the count is told")
    func kubernetes() throws {
        #expect(
            try SweepShare.ofJobArray(["JOB_COMPLETION_INDEX": "2", "HOMA_SHARE_COUNT": "3"])
                == SweepShare(index: 2, count: 3))
        #expect(try SweepShare.ofJobArray(["JOB_COMPLETION_INDEX": "0"], count: 3) == SweepShare(index: 0, count: 3))
        #expect(throws: ShareError.self) { try SweepShare.ofJobArray(["JOB_COMPLETION_INDEX": "2"]) }
        #expect(throws: ShareError.self) { try SweepShare.ofJobArray(["JOB_COMPLETION_INDEX": "3"], count: 3) }
    }

    @Test("outside of a job array there is no share, and a count without one is a mistake")
    func alone() throws {
        #expect(try SweepShare.ofJobArray([:]) == nil)
        #expect(throws: ShareError.self) { try SweepShare.ofJobArray([:], count: 3) }
    }
}
