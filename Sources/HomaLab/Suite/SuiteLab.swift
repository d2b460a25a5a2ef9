// SPDX-License-Identifier: Apache-2.0

import Glibc
import HomaBench
import HomaPosix

/// The part of the suite that runs in an emulated network: W4 at 80 % load, three hosts, links of 200 Mb/s.
struct SuiteLab {
    let times: SuiteStep.Times
    let rounds: Int
    let seed: UInt64

    func figure() -> SuiteFigure {
        SuiteFigure(measure: .shortTail, outcome: outcome())
    }

    private func outcome() -> SuiteFigure.Outcome {
        do throws(LabError) {
            try SystemTools.requireRoot(to: "make an emulated network")
            try SystemTools.requireAll()
            try LabProbe.run(process: getpid(), needsLoss: false)
        } catch {
            return .skipped(error.description)
        }
        let name = "suite-\(getpid())"
        do {
            _ = try run(["up", "--name", name, "--hosts", "3", "--rate", "200Mbit"])
            defer { _ = try? run(["down", "--name", name, "--force"]) }
            return .measured(try measure(name))
        } catch {
            return .failed("\(error)")
        }
    }

    private func measure(_ name: String) throws -> SuiteFigure.Result {
        let count = times.lab.rounds ?? rounds
        note("lab: W4 at 80 %, Homa and TCP, \(count) rounds")
        let said = try run([
            "run", "--name", name, "--workload", "w4", "--load", "0.8", "--for", "\(times.lab.seconds)s", "--compare",
            "--rounds", "\(count)", "--seed", "\(seed)", "--json",
        ])
        let records = ChildRecords(said)
        guard let ratio = records.last("short_latency_p99_tcp_over_homa"),
            let tails = records.last("short_latency_p99"),
            let rival = tails.rival
        else { throw ChildError(description: "the lab told no p99 of short messages") }
        // The rounds' own values: Homa and TCP in turns, before the medians.
        let rounds = records.all("short_latency_p99").prefix(2 * count)
        let own = rounds.enumerated().filter { $0.offset < count }.map(\.element)
        let rivals = rounds.enumerated().filter { $0.offset >= count }.map(\.element)
        guard own.count == count, rivals.count == count else {
            return .init(values: [ratio.value], rival: "tcp", own: [tails.value], rivals: [rival])
        }
        return .init(values: zip(own, rivals).map { $1 / $0 }, rival: "tcp", own: own, rivals: rivals)
    }

    private func run(_ arguments: [String]) throws -> String { try ChildProcess(["lab"] + arguments).finish() }
}
