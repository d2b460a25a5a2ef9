// SPDX-License-Identifier: Apache-2.0

import HomaBase
import Testing

@testable import HomaLab

@Suite("How busy the machine was")
struct DisturbanceTests {
    private let system = """
        cpu  1000 10 500 4000 20 5 40 30 0 0
        cpu0 500 5 250 2000 10 2 20 15 0 0
        intr 12345
        """

    @Test("programs are user, nice and system time; the hypervisor's is apart, and idle time is in all")
    func processors() {
        let times = ProcessorTimes(system: system, processes: [])
        #expect(times.programs == 1510 && times.stolen == 30 && times.all == 5605 && times.own == 0)
        #expect(ProcessorTimes(system: "", processes: [""]) == ProcessorTimes(system: "nonsense", processes: []))
    }

    @Test("a process counts with the children it has waited for, whatever its name is")
    func own() {
        let text = "42 (a) R 1 (x) S 1 42 42 0 -1 4194304 100 200 0 0 7 5 30 20 20 0 1 0 99 1000 10"
        let times = ProcessorTimes(system: system, processes: [text, text, "garbage"])
        #expect(times.own == 2 * (7 + 5 + 30 + 20))
    }

    @Test("what others took is what programs took without the demo's own")
    func others() {
        var after = ProcessorTimes(system: system, processes: [])
        let before = after
        after.all += 1000
        after.programs += 600
        after.own += 350
        after.stolen += 60
        let disturbance = DisturbanceMeter.disturbance(from: before, to: after, waitMicroseconds: 3)
        #expect(disturbance == Disturbance(others: 0.25, stolen: 0.06, waitMicroseconds: 3))
        #expect(disturbance.isBusy)
        after.own += 10_000
        #expect(DisturbanceMeter.disturbance(from: before, to: after, waitMicroseconds: nil).others == 0)
    }

    @Test("busy is a tenth for others or a twentieth for the hypervisor; the worst part decides")
    func limits() {
        #expect(!Disturbance(others: 0.10, stolen: 0.05).isBusy)
        #expect(Disturbance(others: 0.11, stolen: 0).isBusy && Disturbance(others: 0, stolen: 0.06).isBusy)
        let worst = Disturbance.worst(of: [
            Disturbance(others: 0.5, stolen: 0, waitMicroseconds: nil),
            Disturbance(others: 0.1, stolen: 0.2, waitMicroseconds: 7),
        ])
        #expect(worst == Disturbance(others: 0.5, stolen: 0.2, waitMicroseconds: 7))
        #expect(!Disturbance.worst(of: []).isBusy)
    }

    @Test("the wait for a processor is read where the kernel tells it, and nowhere else")
    func schedstat() {
        let counts = RunQueueProbe.counts("135121 1847074 2\n")
        #expect(counts?.waited == 1_847_074 && counts?.turns == 2)
        #expect(RunQueueProbe.counts("") == nil)
    }

    @Test("a meter that runs gives shares between none and all")
    func meter() {
        let disturbance = DisturbanceMeter().finish()
        #expect((0...1).contains(disturbance.others) && (0...1).contains(disturbance.stolen))
        #expect(ProcessorShare.free(processors: 1, milliseconds: 5) > 0)
    }

    @Test("the link's rate follows from the processors that are free")
    func rate() {
        #expect(DemoLinkRunner.rate(freeProcessors: 2) == .megabitsPerSecond(100))
        #expect(DemoLinkRunner.rate(freeProcessors: 1) == .megabitsPerSecond(50))
        #expect(DemoLinkRunner.rate(freeProcessors: 0.1) == .megabitsPerSecond(25))
    }

    @Test("processors that may be used are read as ranges and single ones")
    func affinity() {
        #expect(DemoServer.processors("Name:\thoma\nCpus_allowed:\tf\nCpus_allowed_list:\t0-2,5\n") == [0, 1, 2, 5])
        #expect(DemoServer.processors("Cpus_allowed_list:\t3\n") == [3])
        #expect(DemoServer.processors("Cpus_allowed_list:\tx-y,3-1\n") == [])
        #expect(DemoServer.processors("") == [])
    }
}
